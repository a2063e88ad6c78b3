"""Captures made by hand come in as a dataset: what is known gives the same findings, what is not says so."""

import errno
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from correlate import report
from correlate.dataset import Dataset
from correlate.dimensions.servers import Match
from correlate.findings.cases import KINDS, cases
from lab.commands.import_list import read_list
from lab.commands.import_trials import import_trials
from lab.errors import BadInput, BenchUnhealthy

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"
A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)
DESCRIBED = ("trials.csv", "datapackage.json", "README.md", "CITATION.cff")
HEADER = (
    "caller_capture,callee_capture,app,service,direction,scenario,repetition,caller_phone,callee_phone,"
    "caller_addresses,callee_addresses,caller_offset_s,callee_offset_s,offset_bound_s"
)
SHORT = "caller_capture,callee_capture,app"
PAIR = "0 caller.pcap,0 callee.pcap"


def call_of(build, **keys):
    call = build.call(**keys)
    call.caller.offset_ns = 2_500_000_000
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0, mapped=side.probed[0])
        side.talk(local, RELAY, 1.0, 11.0, 120, 110)
        side.put(2.0, *local, *RELAY, build.stun(build.BINDING, (build.USERNAME, b"abcd:efgh")))
        side.put(2.5, *local, "192.0.2.99", 9999, f"no two trials are alike: {call.trial}".encode())
    call.callee.put(0.5, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, "203.0.113.7")))
    return call


def addresses(side):
    return " ".join([*side.interface, *(f"public:{address}" for address in side.probed)])


@pytest.fixture(scope="module")
def written(tmp_path_factory, build):
    """The folder and the rows of `exported`, which every test gets a copy of."""
    folder = tmp_path_factory.mktemp("written")
    calls = [call_of(build), call_of(build, service="video", scenario="callee_hangs_up", repetition=3)]
    recorded = folder / "recorded"
    recorded.mkdir()
    build.dataset(recorded, calls)
    for call in calls:
        build.forget(recorded, call, vantages=["caller", "callee"], identifiers=["caller", "callee"])
    report.build(Dataset(recorded))
    rows = []
    for number, call in enumerate(calls):
        for side in ("caller", "callee"):
            shutil.copy(recorded / "trials" / call.trial / f"{side}.pcap", folder / f"{number} {side}.pcap")
        known = (call.app, call.service, call.direction, call.scenario, call.repetition, "alpha", "bravo")
        sides = (addresses(call.caller), addresses(call.callee))
        cells = (f'"{number} caller.pcap"', f"{number} callee.pcap", *known, *sides, 2.5, 0, 0.001)
        rows.append(",".join(str(cell) for cell in cells))
    return folder, rows


@pytest.fixture
def exported(tmp_path, written):
    """Two trials of a recorded dataset as files beside each other, with what is known of them as list rows."""
    folder, rows = written
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path, rows


def imported(folder, text):
    (folder / "list.csv").write_text(text)
    data = Dataset(folder / "imported")
    import_trials(folder / "list.csv", data, SCENARIOS)
    report.build(data)
    return data


def test_what_is_wholly_known_gives_the_same_findings(exported):
    folder, rows = exported
    data = imported(folder, "\n".join([HEADER, *rows]) + "\n")
    assert data.verify() == []
    assert data.info().provenance == "measured"
    # In memory: in the files times count from a start that nobody tells of an import.
    recorded = {case.trial: case for case in cases(Dataset(folder / "recorded")).read}
    ours = cases(data).read
    assert len(ours) == len(recorded) == 2
    for case in ours:
        for name in KINDS:
            of = "service_type" if name == "service" else name
            assert getattr(case, of) == getattr(recorded[case.trial], of), (case.trial, name)
    assert [entry.event for entry in data.journal.read()] == ["import", "completed", "completed", "begun", "finished"]
    assert "provenance: measured" in data.report_path.read_text()
    assert (data.tables_dir / "table8.md").is_file()


def test_what_is_unknown_stays_unknown_and_says_so(exported):
    folder, _ = exported
    data = imported(folder, "caller_capture,callee_capture,app\n0 caller.pcap,0 callee.pcap,maple\n")
    assert data.trial_ids() == ["maple-unknown-unknown-unknown-1"]
    record = data.record("maple-unknown-unknown-unknown-1")
    assert (record.markers, record.clocks) == (None, {"caller": None, "callee": None, "laptop": None})
    assert record.asked.service is None
    (case,) = cases(data).read
    caller, callee = case.endpoints["caller"], case.endpoints["callee"]
    assert (caller.exposed_public, callee.exposed_public) == (True, None)
    assert caller.no_disclosure is False
    assert "addresses of a phone were not recorded, or are not those of its capture" in callee.reason
    duration = case.duration["caller"]
    assert duration.longest_relay.duration_ns == 11_000_000_000
    assert (duration.longest_relay.first_ns, duration.bound_ns) == (None, None)
    assert duration.reason.startswith(
        "first, last, start, within_bound, bound, media_span: this clock was never compared"
    )
    servers = case.servers["caller"]
    assert servers.shared is None
    assert servers.reason == "shared, overlap: a clock was never compared"
    assert servers.matches == (Match("192.0.2.50", 3478, "address", "192.0.2.50", overlap_ns=None),)
    assert servers.server_addresses == 1
    assert case.signalling["caller"].user_ids == ("abcd", "efgh")
    assert case.volume["caller"].media.tx_packets == 120


@pytest.mark.parametrize("known", ["", "public:203.0.113.7", "100.64.0.70 public:203.0.113.7", "192.168.137.20"])
def test_addresses_that_are_not_those_of_the_capture_say_no_more_than_none(exported, known):
    """None, only public ones, one mistyped, the callee's: all say the same of the call, and nothing is a no."""
    folder, _ = exported
    header = "caller_capture,callee_capture,app,caller_addresses,callee_addresses"
    row = f"0 caller.pcap,0 callee.pcap,maple,{known},192.168.137.20 public:198.51.100.20"
    data = imported(folder, f"{header}\n{row}\n")
    (case,) = cases(data).read
    assert (case.call.established, case.call.routing) == (True, "relay")
    assert case.endpoints["caller"].exposed == {"public": True, "private": None}
    assert (case.call.foreign_packets, case.volume["caller"].media.tx_packets) == (0, 120)


NOBODY_ANSWERED = "maple-unknown-unknown-system_timeout-1: a conversation on the wire, but nobody answered (stated)"


@pytest.mark.parametrize(
    ("scenario", "answered", "by", "is_conversation", "said"),
    [
        ("caller_hangs_up", True, "stated", True, []),
        ("system_timeout", False, "stated", False, ["contradictions: 1 of 1 trials", NOBODY_ANSWERED]),
        ("", None, "", True, []),
    ],
)
def test_a_call_is_answered_as_its_list_states_and_by_the_wire_where_it_states_nothing(
    exported, scenario, answered, by, is_conversation, said
):
    """The captures hold a conversation."""
    folder, _ = exported
    data = imported(folder, f"{SHORT},scenario\n0 caller.pcap,0 callee.pcap,maple,{scenario}")
    (trial,) = data.trial_ids()
    record = data.record(trial)
    assert (record.stated_answered, record.observed_scenario) == (answered, None)
    assert (record.observed, record.limits) == (None, None)
    (case,) = cases(data).read
    assert (case.answered, case.answered_by, case.is_conversation) == (answered, by, is_conversation)
    assert report.remarks(data) == said
    assert [line in data.report_path.read_text() for line in said[1:]] == [True for _ in said[1:]]


def test_repetitions_count_up_where_none_is_given(exported):
    folder, _ = exported
    pairs = ["0 caller.pcap,0 callee.pcap,maple", "1 caller.pcap,1 callee.pcap,maple"]
    data = imported(folder, "\n".join(["caller_capture,callee_capture,app", *pairs]))
    assert data.trial_ids() == ["maple-unknown-unknown-unknown-1", "maple-unknown-unknown-unknown-2"]


def devices(folder, columns, *rows):
    """Names of the phones of dataset.json, Device 1 first; each row is of a pair of its own."""
    pairs = [f"{number} caller.pcap,{number} callee.pcap,maple,{row}" for number, row in enumerate(rows)]
    data = imported(folder, "\n".join([f"{SHORT},{columns}", *pairs]))
    return [device.name for device in data.info().devices]


def test_the_first_caller_is_device_1_whatever_the_alphabet_says(exported):
    folder, _ = exported
    assert devices(folder, "direction", "lte_to_fixed", "fixed_to_lte") == ["lte", "fixed"]
    rows = (folder / "imported/tables/claims.csv").read_text().splitlines()
    assert [row for row in rows if row.startswith("p2p_and_all_exposed_when_device_1_calls,")] != []
    (case, _) = cases(Dataset(folder / "imported")).read
    assert case.phones["caller"] == "lte"


def test_a_list_can_name_device_1(exported):
    folder, _ = exported
    assert devices(folder, "direction,device_1", "fixed_to_lte,", "lte_to_fixed,lte") == ["lte", "fixed"]


@pytest.mark.parametrize(
    ("direction", "phones"), [("fixed_a_to_b", ("fixed_a", "fixed_b")), ("fixed_b_to_a", ("fixed_b", "fixed_a"))]
)
def test_phones_of_one_label_are_told_by_side_and_side_a_is_device_1(exported, direction, phones):
    folder, _ = exported
    assert devices(folder, "direction", direction) == ["fixed_a", "fixed_b"]
    (case,) = cases(Dataset(folder / "imported")).read
    assert (case.phones["caller"], case.phones["callee"]) == phones


class Full:
    """A disk without room for the callee's capture."""

    def __init__(self, error):
        self.error = error

    def __call__(self, source, target):
        if target.name == "callee.pcap":
            target.write_bytes(source.read_bytes()[:100])
            if isinstance(self.error, OSError):
                self.error.filename, self.error.filename2 = str(source), str(target)
            raise self.error
        target.write_bytes(source.read_bytes())


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_half_an_import_leaves_nothing_and_is_mended_by_importing_again(exported, monkeypatch, error):
    folder, rows = exported
    text = "\n".join([HEADER, *rows])
    (folder / "list.csv").write_text(text)
    monkeypatch.setattr(shutil, "copyfile", Full(error))
    with pytest.raises((BenchUnhealthy, KeyboardInterrupt)) as raised:
        import_trials(folder / "list.csv", Dataset(folder / "imported"), SCENARIOS)
    monkeypatch.undo()
    if isinstance(error, OSError):
        callee = folder / "imported/trials/maple-voice-lte_to_fixed-caller_hangs_up-1.partial/callee.pcap"
        assert str(raised.value) == (
            f"{callee}: No space left on device; nothing is imported; mend this and import again"
        )
    assert list((folder / "imported").iterdir()) == []
    assert stat.S_IMODE((folder / "imported").stat().st_mode) == 0o700
    assert Dataset(folder / "imported").verify() != []
    data = imported(folder, text)
    assert (len(data.trial_ids()), data.verify()) == (2, [])


def test_what_a_killed_import_left_is_no_dataset_and_the_next_import_begins_anew(exported):
    folder, rows = exported
    text = "\n".join([HEADER, *rows])
    whole = imported(folder, text)
    for name in ("findings", "tables"):
        shutil.rmtree(whole.path / name)
    for name in ("dataset.json", "report.html", "manifest-sha256.txt", "names.json", *DESCRIBED):
        (whole.path / name).unlink(missing_ok=True)
    (whole.trials_dir / "maple-video-lte_to_fixed-callee_hangs_up-3").rename(whole.trials_dir / "left.partial")
    assert whole.verify() == [f"{whole.info_path}: cannot be read: No such file or directory"]
    data = imported(folder, text)
    assert (len(data.trial_ids()), data.verify()) == (2, [])
    assert [entry.event for entry in data.journal.read()] == ["import", "completed", "completed", "begun", "finished"]
    with pytest.raises(BadInput, match="is not empty; name another folder with --dataset; what it holds is computed"):
        imported(folder, text)


def test_an_app_of_the_lab_brings_its_analysis(exported):
    folder, _ = exported
    data = imported(folder, "caller_capture,callee_capture,app\n0 caller.pcap,0 callee.pcap,whatsapp\n")
    app = data.info().apps["whatsapp"]
    assert app.analysis.relay_ports == [3478]
    assert app.version is None


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "1:1: no column ''; there is caller_capture, "),
        ("caller_capture,callee_captur,app\n", "1:16: no column 'callee_captur'; did you mean 'callee_capture'?"),
        ("caller_capture,callee_capture\n", "1:1: column 'app' is missing; add it to the first line"),
        (f"{SHORT}\n", "2:1: no trial is listed; write one line for each"),
        (f"{SHORT}\n{PAIR},whatsap\n", "2:29: no app 'whatsap'; did you mean 'whatsapp'?"),
        (f"{SHORT}\n{PAIR},Maple\n", "2:29: 'Maple' is no name: names match [a-z0-9][a-z0-9_]{0,63}"),
        (f"{SHORT}\n{PAIR}\n", "2:1: 2 cells, the first line has 3"),
        (f"{SHORT}\n{PAIR},\n", "2:29: app is empty; every trial needs it"),
        (f'{SHORT}\n"0 caller.pcap,x,maple\n', '2:1: a quote that is not closed; write "..." around a whole cell'),
        (f"{SHORT}\n0 caler.pcap,0 callee.pcap,maple\n", "did you mean '0 caller.pcap'?"),
        (f"{SHORT}\nlist.csv,0 callee.pcap,maple\n", "list.csv:2:1: "),
        (
            f"{SHORT}\n0 caller.pcap,0 caller.pcap,maple\n",
            "2:15: the same capture as the caller's; each side needs its own",
        ),
        (f"{SHORT},service\n{PAIR},maple,vioce\n", "2:35: no service 'vioce'; did you mean 'voice'?"),
        (f"{SHORT},repetition\n{PAIR},maple,0\n", "2:35: repetition must be a whole number from 1, is '0'"),
        (f"{SHORT},caller_addresses\n{PAIR},maple,10.0.0\n", "2:35: '10.0.0' is no IP address; separate several by"),
        (f"{SHORT},caller_offset_s\n{PAIR},maple,1.5\n", "2:35: caller_offset_s needs offset_bound_s: how far may it"),
        (f"{SHORT},offset_bound_s\n{PAIR},maple,-1\n", "2:35: offset_bound_s must be greater than 0, is -1"),
        (f"{SHORT},caller_offset_s\n{PAIR},maple,nan\n", "2:35: nan s is no offset of a clock"),
        (
            f"{SHORT},repetition\n{PAIR},maple,1\n1 caller.pcap,1 callee.pcap,maple,1\n",
            "3:1: maple-unknown-unknown-unknown-1 a second time; give it another repetition",
        ),
        (
            f"{SHORT}\n{PAIR},maple\n1 caller.pcap,1 callee.pcap,maple\n{PAIR},maple\n",
            "4:1: the same capture as in line 2; every trial has captures of its own",
        ),
        (
            f"{SHORT}\n{PAIR},maple\n0 callee.pcap,0 caller.pcap,maple\n",
            "3:1: the same capture as in line 2; every trial has captures of its own",
        ),
        (
            f"{SHORT}\n{PAIR},maple\n1 caller.pcap,0 callee.pcap,maple\n",
            "3:15: the same capture as in line 2; every trial has captures of its own",
        ),
        (f"{SHORT}\n{PAIR},ma\0ple\n", "2:31: a character that is no text (U+0000); save the list as CSV in UTF-8"),
        (f"{SHORT}\n{PAIR},ma\x0cple\n", "2:31: a character that is no text (U+000C); save the list as CSV in UTF-8"),
        (f"{SHORT}\n{PAIR},{'m' * 10_000}\n", "2:29: app has 10000 characters, none has more than 4096"),
        (f"{SHORT}\n{PAIR},{'m' * 1000}\n", f"2:29: '{'m' * 59}…' is no name: names match [a-z0-9][a-z0-9_]{{0,63}}"),
        (
            f"{SHORT}\n{'m' * 10_000},0 callee.pcap,maple\n",
            "2:1: caller_capture has 10000 characters, none has ",
        ),
        (f"{SHORT}\n{'m' * 400},0 callee.pcap,maple\n", f"2:1: {'m' * 59}…: cannot be read: File name too long"),
        (f"{SHORT},{'m' * 10_000}\n", f"1:35: no column '{'m' * 59}…'; there is service, direction, "),
        (f"{SHORT},service\n{PAIR},maple,{'m' * 400}\n", f"2:35: no service '{'m' * 59}…'; write voice, video or "),
        (
            f"{SHORT},service\n{PAIR},maple,voice".replace(",", ";"),
            "1:15: ';' separates the columns; it must be a comma: save the list as CSV with commas",
        ),
        (
            f"{SHORT},service\n{PAIR},maple,voice".replace(",", "\t"),
            "1:15: a tab separates the columns; it must be a comma: save the list as CSV with commas",
        ),
        (
            f"{SHORT}\n{PAIR};maple\n",
            "2:28: 2 cells, the first line has 3; where ';' separates them, it must",
        ),
        (f"{SHORT},,,\n{PAIR},maple,,,\n", "1:35: no column '' behind this comma; take all at the end out"),
        (f"{SHORT}\n{PAIR},maple,,\n", "2:35: 5 cells, the first line has 3; take the commas at the end out"),
        (f"{SHORT}\n{PAIR},maple,voice\n", "2:35: 4 cells, the first line has 3"),
        (f"{SHORT}\n{PAIR},maple\n,,\n", "3:1: nothing but commas; take this line out"),
        (f"{SHORT}\n{PAIR},maple\n{SHORT}\n", "3:1: the first line a second time; take it out"),
        (f"{SHORT},app\n", "1:35: column 'app' a second time"),
        (f"{SHORT},caller_offset_s\n{PAIR},maple,1e400\n", "2:35: 1e400 s is no offset of a clock"),
        (
            f"{SHORT}\n/dev/zero,0 callee.pcap,maple\n",
            "2:1: /dev/zero: cannot be read: Is a device; only regular files",
        ),
        (f"{SHORT},device_1\n{PAIR},maple,side_c\n", "2:35: no phone 'side_c' in this list; did you mean 'side_"),
        (
            f"{SHORT},device_1\n{PAIR},maple,side_a\n1 caller.pcap,1 callee.pcap,maple,side_b\n",
            "3:35: line 2 says that device 1 is side_a; it is one phone in all lines",
        ),
    ],
)
def test_bad_input_is_one_line_with_its_place_and_nothing_is_written(exported, text, mistake):
    folder, _ = exported
    (folder / "list.csv").write_text(text)
    with pytest.raises(BadInput) as raised:
        import_trials(folder / "list.csv", Dataset(folder / "imported"), SCENARIOS)
    assert mistake in str(raised.value)
    assert str(raised.value).startswith(f"{folder / 'list.csv'}:")
    assert len(str(raised.value).splitlines()) == 1
    assert not (folder / "imported").exists()


@pytest.mark.parametrize(
    ("data", "mistake"),
    [
        (f"{SHORT}\n{PAIR},maple\n".encode("utf-16"), "1:1: is no UTF-8 text; save the list as CSV in UTF-8"),
        (
            f"{SHORT}\n{PAIR},maple\n".encode("utf-16-le"),
            "1:2: a character that is no text (U+0000); save the ",
        ),
        (f"{SHORT}\n{PAIR},äpfel\n".encode("latin-1"), "2:29: is no UTF-8 text; save the list as CSV in UTF-8"),
        (bytes((16 << 20) + 1), "1:1: is larger than 16 MiB, no list of trials is"),
        (None, "1:1: cannot be read: Is a FIFO; only regular files are read"),
    ],
    ids=["UTF-16 with a mark", "UTF-16", "Latin-1", "too large", "FIFO"],
)
def test_a_list_that_is_no_text_of_utf_8_is_one_line_with_its_place(exported, data, mistake):
    folder, _ = exported
    path = folder / "list.csv"
    os.mkfifo(path) if data is None else path.write_bytes(data)
    with pytest.raises(BadInput) as raised:
        import_trials(path, Dataset(folder / "imported"), SCENARIOS)
    assert str(raised.value).startswith(f"{path}:{mistake}")
    assert len(str(raised.value).splitlines()) == 1
    assert not (folder / "imported").exists()


def test_a_byte_order_mark_and_line_ends_of_windows_change_nothing(exported):
    folder, _ = exported
    (folder / "list.csv").write_bytes(f"\ufeff{SHORT}\r\n{PAIR},maple\r\n\r\n".encode())
    import_trials(folder / "list.csv", Dataset(folder / "imported"), SCENARIOS)
    assert Dataset(folder / "imported").trial_ids() == ["maple-unknown-unknown-unknown-1"]


@pytest.mark.full
def test_whatever_a_list_holds_each_mistake_is_a_line_with_its_place(exported):
    folder, rows = exported
    path, whole, read, mistakes = (
        folder / "list.csv",
        "\r\n".join([HEADER, *rows]).encode(),
        Counter[int](),
        list[str](),
    )
    odd = [b"\0", b";", b"\t", b",", b'"', b"\n", b"\r", b"\xff", b"\xc2\x85", b"m" * 300, b"1e400", b"nan"]
    chance = random.Random("lists")
    for _ in range(3000):
        text = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 5))):
            at = chance.randrange(len(text) + 1)
            text[at : at + chance.choice((0, 0, 1, 40))] = chance.choice(odd)
        path.write_bytes(text)
        try:
            read[len(read_list(path, {"app": ["maple"]}))] += 1
        except BadInput as error:
            mistakes += str(error).split("\n")
    assert (len(mistakes) > 3000, read[2] > 20) == (True, True)
    assert [line for line in mistakes if not re.match(rf"{path}:[1-9]\d*:[1-9]\d*: \S", line)] == []


def test_all_mistakes_are_told_at_once(exported):
    folder, _ = exported
    (folder / "list.csv").write_text(f"{SHORT}\nnone.pcap,0 callee.pcap,Maple\n")
    with pytest.raises(BadInput) as raised:
        import_trials(folder / "list.csv", Dataset(folder / "imported"), SCENARIOS)
    assert [line.split(": ")[0].rsplit("csv:", 1)[1] for line in str(raised.value).splitlines()] == ["2:1", "2:25"]


def test_a_damaged_capture_is_refused(exported):
    folder, _ = exported
    whole = (folder / "0 caller.pcap").read_bytes()
    (folder / "0 caller.pcap").write_bytes(whole[:-5])
    (folder / "list.csv").write_text(f"{SHORT}\n{PAIR},maple\n")
    with pytest.raises(BadInput, match=r"2:1: .* is damaged: .*; capture again or leave it out"):
        import_trials(folder / "list.csv", Dataset(folder / "imported"), SCENARIOS)


def test_a_folder_that_is_not_empty_is_left_alone(exported):
    folder, _ = exported
    (folder / "list.csv").write_text(f"{SHORT}\n{PAIR},maple\n")
    with pytest.raises(BadInput, match="is not empty; name another folder with --dataset"):
        import_trials(folder / "list.csv", Dataset(folder), SCENARIOS)


def test_the_command_ends_with_2_and_one_line(exported):
    folder, rows = exported
    (folder / "list.csv").write_text("\n".join([HEADER, rows[0].replace(",voice,", ",vioce,")]))
    invoke = [Path(sys.executable).parent / "invoke", "import-trials", str(folder / "list.csv")]
    run = [*invoke, "--dataset", str(folder / "imported")]
    refused = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"{folder / 'list.csv'}:2:")
    assert refused.stderr.endswith("no service 'vioce'; did you mean 'voice'?\n")
    (folder / "list.csv").write_text("\n".join([HEADER, *rows]))
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"2 trials, findings, tables and report are in {folder / 'imported'}.\n"
    assert json.loads((folder / "imported/dataset.json").read_text())["bench"] == "imported"
