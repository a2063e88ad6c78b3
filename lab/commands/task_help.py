"""What `--help` says of the options that several tasks have."""

RUN_HELP = {
    "bench": "a bench file's name in SCENARIOS/benches",
    "matrix": "a matrix file's name in SCENARIOS/matrices",
    "dataset": "the dataset's folder (default: datasets/BENCH-MATRIX)",
    "seed": "seed of the order, of the draws and of an emulated bench",
    "scenarios": "folder of the YAML",
}
MATRIX_HELP = {"only": "app=whatsapp,service=voice", "dry-run": "only plan", "local": "the bench's local file"}
MATRIX_HELP |= {"benches": "how many benches of an emulated kind run side by side, 1 to 8"}
MATRIX_HELP |= {"faults": "what to rehearse on a virtual bench: a name in SCENARIOS/faults, or a file"}
OBSERVE_HELP = {"observe-only": "void nothing by a phone's witnesses, and say what would have been"}
BENCH_HELP = {name: RUN_HELP[name] for name in ("bench", "scenarios")}
CALIBRATE_HELP = {"app": "one app (default: all that both phones have)", "calls": "how many with each app"} | BENCH_HELP
OPEN_HELP = {"trial": "a trial's id", "frame": "callee:47, a frame's number in that side's capture"}
OPEN_HELP |= {"dataset": RUN_HELP["dataset"], "out": "where the merged capture goes (default: a cache)"}
PCAP_HELP = {"pcap": "a capture file, from any source; - is standard input", "json": "print JSON"}
CHECK_HELP = {
    "file": "check this file alone",
    "schemas": "write JSON Schemas of these files and of a dataset's documents into this folder",
    "scenarios": RUN_HELP["scenarios"],
}
IMPORT_HELP = {
    "trials": "a CSV list of capture pairs: caller_capture, callee_capture, app, and what else is known",
    "dataset": "the new dataset's folder",
    "scenarios": RUN_HELP["scenarios"],
}
COMPARE_HELP = {"a": "a dataset", "b": "another of its matrix", "json": "print JSON", "junit": "a file for JUnit's XML"}
DOCTOR_HELP = {
    "json": "print a list of {check, subject, ok, found, fix}",
    "notify": "send a test message by each channel of the bench too",
}
NIGHT_HELP = {name: RUN_HELP[name] for name in ("bench", "matrix", "scenarios")} | {
    "until": "begin no trial that would end later than this time of day, e.g. 07:00",
    "plan": "only show what the coming night takes, and what a person has to do before it",
    "nights": "the folder of all nights of this bench and matrix",
}
INSTALL_HELP = {name: NIGHT_HELP[name] for name in ("bench", "matrix", "until", "nights")} | {
    "at": "when each night begins",
    "kind": "systemd, cron, launchd or windows; the last two only with --print",
    "print": "print what would be installed, and install nothing",
    "system": "a systemd unit of the system for this user, which may wake the machine, instead of one of the user",
}
