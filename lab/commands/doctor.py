"""Is the bench ready? Passive checks, all of them, each with what was found and what to do.

Nothing is changed on a phone or on the laptop. Whether it is quiet enough is measured before every trial, in the idle
time of its own captures (paper 3.2, step 3).
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import lab
from lab.bench.bench import Bench
from lab.bench.kinds import lacking
from lab.bench.real import NoAdbServer, NoSerial
from lab.capture import pcapdroid
from lab.clocks.bench_time import BenchClock
from lab.clocks.offsets import measure_offset
from lab.clocks.stop import Stop
from lab.commands import lab_checks, ladder_checks, network_checks, phone_checks
from lab.commands.checks import FREE_KIB, Check, asked, once
from lab.definitions import App, BenchSpec
from lab.errors import BenchBusy, LabError
from lab.laptop.agent.coalescing import OFF
from lab.phone import push
from lab.phone.default_network import vpns
from lab.phone.phone import Phone
from lab.phone.witnesses import events, reading
from lab.run import calibration, calls, introductions, tonight, unproven
from lab.run.plan import Run


def examine(run: Run, stop: Stop, look: Callable[[Phone], None] = lambda phone: None) -> list[Check]:
    """All checks of a bench for a matrix; it never stops at the first that fails. `look` is given each phone, too.

    A rig on a machine that lacks something is not opened: all that would follow from that one lack.
    """
    needs = list(_needs(run.spec))
    unmet = [check.found for check in needs if not check.ok]
    opened = [_not_open(run.spec, f"not opened: {'; '.join(unmet)}")] if unmet else _opened(run, stop, look)
    return [*_controller(run), *needs, *opened]


def _opened(run: Run, stop: Stop, look: Callable[[Phone], None]) -> list[Check]:
    """The checks that take an open bench."""
    lab_, spec, checks = run.lab, run.spec, list[Check]()
    try:
        with Bench(lab_, spec, stop, partly=True, run=None) as bench:
            checks.append(Check("bench", spec.name, True, "is open", ""))
            for phone in bench.phones.values():
                checks += _of_phone(phone, [lab_.apps[app] for app in run.matrix.apps])
                checks += phone_checks.moved(run, phone)
                look(phone)
            checks += _unreachable(bench.unreachable)
            checks += once(_laptop_that_answers(bench))
            checks += network_checks.stun(spec.stun_servers, list(bench.phones.values()))
            checks.append(network_checks.resolver(bench.kind.resolver))
    except LabError as error:
        checks.append(_not_open(spec, str(error)))
    return checks


def _unreachable(troubles: Mapping[str, LabError]) -> Iterator[Check]:
    """A line for each cause, and the phones that it keeps away."""
    names: dict[str, list[str]] = {}
    for name, trouble in troubles.items():
        names.setdefault(str(trouble), []).append(name)
    for text, those in names.items():
        says_what_to_do = any(isinstance(troubles[name], NoAdbServer | NoSerial | BenchBusy) for name in those)
        fix = "then run doctor again" if says_what_to_do else "connect it and accept its prompt"
        yield Check("reachable", ", ".join(those), False, text, fix)


def _of_phone(phone: Phone, apps: list[App]) -> list[Check]:
    """All of a phone; of one whose shell no longer answers that, not what would follow from it."""
    name, found = phone.spec.name, list[Check]()

    def shell() -> tuple[bool, str]:
        phone.device.run("true")
        return True, "adb and shell answer"

    def agent() -> tuple[bool, str]:
        phone.screen.check_health()
        return True, "tells what is on the screen"

    def reachable() -> Check:
        return asked("reachable", name, shell, "connect it again, then run doctor again")

    first = reachable()
    for check in _phone(phone, apps, agent) if first.ok else ():
        if not check.ok and not (first := reachable()).ok:
            break
        found.append(check)
    return [first, *once(found)]


def _not_open(spec: BenchSpec, why: str) -> Check:
    return Check("bench", spec.name, False, why, "mend what is named, then run doctor again")


def _needs(spec: BenchSpec) -> Iterator[Check]:
    """What a rig needs of this machine; no other kind of bench needs anything that its own checks would not find."""
    unmet = lacking(spec)
    for what, fix in unmet:
        yield Check("rig needs", spec.name, False, what, fix)
    if spec.kind == "rig" and not unmet:
        yield Check("rig needs", spec.name, True, "root, network namespaces, TUN and all programs are there", "")


def _controller(run: Run) -> Iterator[Check]:
    lab_, spec = run.lab, run.spec
    ours = Path(lab.__file__).parent.parent
    right = (ours / "correlate").is_dir()
    yield Check("package", "controller", right, str(ours), "another package named lab is installed; use the .venv")
    place = run.dataset.path.resolve()
    folder = next(path for path in (place, *place.parents) if path.exists())
    free = shutil.disk_usage(folder).free // 1024
    found = f"{free // 1024} MiB free in {folder}"
    yield Check("disk", "controller", free > FREE_KIB, found, "make room for the dataset, or name another --dataset")
    if spec.local is not None:
        there = (lab_.directory / "benches" / spec.local).is_file()
        fix = f"write scenarios/benches/{spec.local} with serials, contacts and allowed_callees (docs/add-a-phone.md)"
        yield Check("local file", spec.name, there, spec.local if there else f"no {spec.local}", fix)
        if not there:
            return  # No contact is known without it, and nobody can be introduced.
    for phone in spec.phones:
        yield lab_checks.contacts(run, phone)
    yield from lab_checks.sims(spec.sims, lab_checks.today())
    yield from (*ladder_checks.power_cycles(spec.phones), *_learnt(run))


def _laptop_that_answers(bench: Bench) -> Iterator[Check]:
    """All of the laptop; of one that cannot be reached that alone, not what would follow from it."""

    def answers() -> tuple[bool, str]:
        bench.laptop.check_health()
        return True, "answers"

    fix = "mend what is named; what the bench file says under laptop.connect must work by hand"
    reachable = asked("reachable", "laptop", answers, fix)
    yield reachable
    if reachable.ok:
        yield from _laptop(bench)


def _clock(clock: BenchClock, read_ns: Callable[[], int]) -> tuple[bool, str]:
    offset = measure_offset(clock, read_ns, reads=5)
    return True, f"{offset.offset_ns / 1e9:+.3f} s, within {offset.bound_ns / 1e6:.2f} ms"


def _phone(phone: Phone, apps: list[App], agent: Callable[[], tuple[bool, str]]) -> Iterator[Check]:
    name, device, spec = phone.spec.name, phone.device, phone.spec

    def root() -> tuple[bool, str]:
        said = device.run("id", root=True).text.strip()
        return said.startswith("uid=0"), said[:60]

    def tcpdump() -> tuple[bool, str]:
        return push.judged(device.run(f"{push.FIRST_ON_PATH} tcpdump --version", root=True))

    yield asked("agent", name, agent, "restart the phone where it stays so")
    clock = partial(_clock, phone.clock, device.read_clock_ns)
    yield asked("clock", name, clock, "neither $EPOCHREALTIME nor date tells the time; update Android")
    root_ok = True
    if spec.rooted:
        yield (asked_root := asked("root", name, root, "allow su for the shell (uid 2000) in Magisk"))
        root_ok = asked_root.ok
    if spec.capture == "tcpdump" and root_ok:
        fix = "install one that was built for this phone: invoke push-tcpdump FILE --bench BENCH (docs/add-a-phone.md)"
        yield asked("tcpdump", name, tcpdump, fix)
    yield from _network(phone, apps)
    yield _witnesses(phone)
    yield from phone_checks.state(phone)
    for app in apps:
        fix = f"install {app.package} {app.version}, or write the installed version into apps/{app.name}.yaml"
        yield asked("app", f"{name}/{app.name}", partial(_version, phone, app), fix)


def _network(phone: Phone, apps: list[App]) -> Iterator[Check]:
    """Networks; what a VPN or an app that is not there spoils is left to the check that names it."""
    captured = list(_pcapdroid(phone)) if phone.spec.capture == "pcapdroid" else []
    yield from captured
    if all(check.ok for check in captured if check.check == "vpn"):
        yield network_checks.carrier(phone)
    if installed := [app for app in apps if _is_installed(phone, app)]:
        yield network_checks.counted(phone, installed)


def _is_installed(phone: Phone, app: App) -> bool:
    try:
        return bool(phone.identify(app))
    except LabError:
        return False


def _pcapdroid(phone: Phone) -> Iterator[Check]:
    """PCAPdroid is there, may be driven, and no other VPN keeps the app from it."""
    spec, device = phone.spec, phone.device
    least = ".".join(map(str, pcapdroid.LEAST_VERSION))

    def installed() -> tuple[bool, str]:
        said = device.run(f"dumpsys package {pcapdroid.PACKAGE} | grep -F versionName").text
        found = re.search(r"versionName=((\d{1,5})\.(\d{1,5})\.(\d{1,5}))", said)
        if found is None:
            return False, f"no {pcapdroid.PACKAGE}"
        return tuple(map(int, found.groups()[1:])) >= pcapdroid.LEAST_VERSION, found[1]

    def no_vpn() -> tuple[bool, str]:
        up = vpns(device.run("dumpsys connectivity").text)
        return not up, f"a VPN on {', '.join(up)}" if up else "no VPN is on"

    def key() -> tuple[bool, str]:
        return spec.pcapdroid_key is not None, "is given" if spec.pcapdroid_key else "no pcapdroid_key"

    yield asked("pcapdroid", spec.name, installed, f"install PCAPdroid {least} or later")
    fix = "make one in PCAPdroid (Settings > Control permissions) and write it into the *.local.yaml"
    yield asked("pcapdroid key", spec.name, key, fix)
    yield asked("vpn", spec.name, no_vpn, "switch it off, or stop the capture in PCAPdroid")


def _witnesses(phone: Phone) -> Check:
    """Which of the phone's records cannot be read, and what no trial can prove without them."""

    def read() -> dict[str, str]:
        now_ns = phone.device.read_clock_ns()
        with closing(events.EventsStream(phone.device, now_ns)) as stream:
            log = events.whole(phone.device, stream, now_ns)
        found = reading.read(phone.device)
        return unproven.missing(reading.since(found, found, None, log))

    name = phone.spec.name
    try:
        missing = read()
    except LabError as error:
        return Check("witnesses", name, False, str(error), "mend what is named")
    if not missing:
        return Check("witnesses", name, True, "audio, camera, telecom, telephony and events can be read", "")
    claims = "; ".join(f"{claim} is never proven, {why}" for claim, why in unproven.never(missing).items())
    found = "; ".join(f"{witness} cannot be read: {why}" for witness, why in missing.items())
    fix = f"{claims or 'every claim can be proven all the same'}; trials are kept with what is undecided"
    return Check("witnesses", name, False, found, f"{fix}; or take a phone whose dumpsys and logcat show it")


def _learnt(run: Run) -> Iterator[Check]:
    """What is known of the phones with each app: who was introduced, and what no trial of this dataset proved, which
    makes no bench unfit."""
    lab_, spec = run.lab, run.spec
    pairs = [pair for app in run.matrix.apps for pair in calls.both_ways(spec, app)]

    def introduced() -> tuple[bool, str]:
        lacking = introductions.strangers(lab_, spec, pairs)
        parked = [pair for pair in pairs if introductions.parked(lab_, spec, *pair) is not None]
        told = [f"{introductions.in_words(pair)} never rang" for pair in lacking]
        told += [f"{introductions.in_words(pair)} is parked" for pair in parked]
        return not told, "; ".join(told) or "every pair may call with nobody there"

    if calibration.learns(spec):
        fix = f"be there and type invoke introduce APP --bench {spec.name}"
        yield asked("introduced", spec.name, introduced, fix)
    parked = asked("parked", spec.name, partial(tonight.none_parked, run), "mend it, then type invoke unpark APP")
    yield from () if parked.ok else (parked,)
    for line in unproven.of_dataset(run.dataset) if run.dataset.info_path.exists() else ():
        yield Check("unproven", spec.name, True, line, "")


def _version(phone: Phone, app: App) -> tuple[bool, str]:
    version = phone.identify(app)
    return version == app.version, f"{version} is installed, {app.version} is in the app's file"


def _joined(joining: list[str] | None, interface: str) -> str:
    """What is to be known of what joins packets before a capture sees them; it makes no bench unfit."""
    if joining is None:
        return f"nobody can tell what joins packets on {interface}; on Linux install ethtool"
    if not joining:
        return f"nothing joins packets on {interface}"
    switches = "; ".join(OFF[name].format(interface) for name in joining if name in OFF)
    what = f"{', '.join(joining)} may join packets into frames above the MTU (flagged in findings)"
    return f"{what}; against it: {switches}"


def _laptop(bench: Bench) -> Iterator[Check]:
    laptop = bench.laptop

    def hotspot() -> tuple[bool, str]:
        found = bench.hotspot()
        return True, f"{found.interface} holds {found.address}"

    def lease(phone: Phone) -> tuple[bool, str]:
        found = bench.lease(phone, bench.hotspot())
        return True, f"{found.address} at {found.mac}"

    def coalescing() -> tuple[bool, str]:
        interface = bench.hotspot().interface
        return True, _joined(laptop.coalescing(interface), interface)

    def dumpcap() -> tuple[bool, str]:
        said = laptop.version()
        return said.code == 0, said.text.strip().splitlines()[0][:80] if said.text.strip() else "no dumpcap"

    if any(phone.vantage == "hotspot" for phone in bench.spec.phones):
        fix = "start the hotspot, or correct hotspot_address in the bench file"
        yield asked("hotspot", "laptop", hotspot, fix)
        for name, phone in bench.phones.items():
            if phone.spec.vantage == "hotspot":
                yield asked("lease", name, partial(lease, phone), "join it to the hotspot, and to no other Wi-Fi")
        yield asked("coalescing", "laptop", coalescing, fix)
        yield asked("dumpcap", "laptop", dumpcap, "install dumpcap (Wireshark) and allow it to capture")
    clock = partial(_clock, bench.clock, laptop.read_clock_ns)
    yield asked("clock", "laptop", clock, "neither $EPOCHREALTIME nor date tells the time; install bash 5")
