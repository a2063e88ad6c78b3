"""Who holds a phone, on a directory that stands for it: the lines are run by a real shell, by mksh and toybox, which
Android has, where they are installed."""

import os
import re
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from lab.errors import BenchBusy, NeedsPerson, PhoneTrouble
from lab.phone import held
from lab.phone.held import Hold, look, parse
from lab.programs.controller import Controller
from lab.programs.shell import ShellOutput

BOOT, OTHER_BOOT = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"
PHONE_BOOT = Path(held._BOOT_ID).read_text().strip()
"""The boot of this machine, which plays the phone."""
NOW_S = 1_800_000_000
ALIVE = 1
"""A process that runs on every machine."""
GONE = 999_999_999


def controller(host: str, boot: str = BOOT, pid: int = ALIVE, token: str = "") -> Controller:
    return Controller("lab", host, pid, boot, token or host.encode().hex().ljust(16, "0")[:16])


BENCH1, BENCH2, BENCH3 = controller("bench1"), controller("bench2", OTHER_BOOT), controller("bench3", OTHER_BOOT)


class Disk:
    """A phone that is nothing but a directory of this machine; `before` is called with what a line is for."""

    name = "pixel6"

    def __init__(self, root: Path) -> None:
        self.place, self._bin = root / "lease", root / "bin"
        self.before = lambda label: None
        self.down = False
        self._bin.mkdir(exist_ok=True)
        mksh, toybox = shutil.which("mksh"), shutil.which("toybox")
        if mksh and toybox and not (self._bin / "sh").exists():
            (self._bin / "sh").symlink_to(mksh)
            for name in ("cat", "date", "grep", "head", "mkdir", "mv", "rm", "stat"):
                (self._bin / name).symlink_to(toybox)

    def run(self, command: str, *, label: str | None = None) -> ShellOutput:
        self.before(label)
        if self.down:
            raise PhoneTrouble("pixel6: no whole answer")
        argv = ["sh", "-c", command.replace(held.PLACE, str(self.place))]
        path = f"{self._bin}:{os.environ['PATH']}"
        shell = shutil.which("sh", path=path)
        done = subprocess.run(
            argv, executable=shell, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"PATH": path}
        )
        return ShellOutput(done.stdout.decode(), done.returncode)

    def close(self) -> None:
        pass

    def files(self) -> list[str]:
        return sorted(path.name for path in self.place.iterdir())

    def edit(self, pattern: str, by: str) -> None:
        """Change what the one lease says."""
        (file,) = self.place.glob("*.held")
        text, times = re.subn(pattern, by, file.read_text())
        assert times == 1
        file.write_text(text)

    def age(self, seconds: int) -> None:
        """Have the lease be beaten so long ago, and its directory changed."""
        self.edit(r"beat=(\d+)", f"beat={int(time.time()) - seconds}")
        self.age_directory(seconds)

    def age_directory(self, seconds: int) -> None:
        changed_s = int(time.time()) - seconds
        os.utime(self.place, (changed_s, changed_s))


@pytest.fixture
def disk(tmp_path):
    return Disk(tmp_path)


def hold(disk: Disk, us: Controller, run: str = "virtual-paper", said: list[str] | None = None) -> Hold:
    return Hold(disk, us, run, [].append if said is None else said.append)  # type: ignore[arg-type]


def looked(beat_s: int = NOW_S, **changes: object) -> held.Lease:
    """A look at the lease of bench1, with some of it changed."""
    holder = held.Holder("lab@bench1", "bench1", ALIVE, BOOT, "paper", "ab" * 8, NOW_S - 60, beat_s, PHONE_BOOT)
    return held.Lease(NOW_S, PHONE_BOOT, NOW_S - 60, replace(holder, **changes))


def test_a_phone_is_held_by_one_alone_who_is_named_and_free_when_he_has_given_it_back(disk):
    ours = hold(disk, BENCH1)
    ours.take()
    found = look(disk)
    assert found.holder == held.Holder(
        "lab@bench1", "bench1", ALIVE, BOOT, "virtual-paper", BENCH1.token,
        found.holder.since_s, found.holder.since_s, PHONE_BOOT,
    )  # fmt: skip
    assert disk.files() == [f"{BENCH1.token}.held"]
    with pytest.raises(BenchBusy) as raised:
        hold(disk, BENCH2).take()
    since = f"{datetime.fromtimestamp(found.holder.since_s).astimezone():%H:%M}"
    text = rf"pixel6 is held by lab@bench1, run virtual-paper, since {since}, seen \d s ago; wait until it has ended"
    assert re.fullmatch(text, str(raised.value))
    ours.give_back()
    assert not disk.place.exists()
    hold(disk, BENCH2).take()
    assert look(disk).holder.host == "bench2"


def test_nobody_gives_back_what_is_not_his(disk):
    theirs = hold(disk, BENCH2)
    theirs.take()
    refused = hold(disk, BENCH1)
    with pytest.raises(BenchBusy):
        refused.take()
    refused.give_back()
    assert look(disk).holder.host == "bench2"
    disk.down = True
    theirs.give_back()
    assert disk.files() == [f"{BENCH2.token}.held"]


@pytest.mark.parametrize(
    ("us", "lease", "why"),
    [
        (BENCH2, looked(NOW_S - 900), ""),
        (BENCH2, looked(NOW_S - 901), "it was not seen for 15 min"),
        (BENCH2, looked(NOW_S + 900), ""),
        # The phone's clock was set back: a living one would have beaten by the new time.
        (BENCH2, looked(NOW_S + 901), "it was not seen for 15 min"),
        (BENCH2, looked(phone_boot=OTHER_BOOT), "the phone was started again since"),
        (BENCH2, looked(phone_boot=""), ""),
        (BENCH2, replace(looked(phone_boot=OTHER_BOOT), boot=""), ""),
        (BENCH1, looked(pid=GONE), "its run on this machine has ended"),
        (BENCH1, looked(pid=os.getpid()), "its run on this machine has ended"),
        (BENCH1, looked(pid=ALIVE), ""),
        # Of the same name: this machine before it was started again, or another one.
        (BENCH1, looked(pid=GONE, boot=OTHER_BOOT), ""),
        (replace(BENCH1, host="clone"), looked(pid=GONE), ""),
        # A machine that tells no boot from another.
        (replace(BENCH1, boot=""), looked(pid=GONE, boot=""), ""),
        (BENCH2, held.Lease(NOW_S, PHONE_BOOT, NOW_S - 900, None), ""),
        (
            BENCH2,
            held.Lease(NOW_S, PHONE_BOOT, NOW_S - 901, None),
            "nobody can read it and nobody changed it for 15 min",
        ),
    ],
)
def test_a_lease_is_a_dead_ones_by_age_by_the_phones_boot_or_by_its_process_on_this_machine(us, lease, why):
    assert lease.dead(us) == why


def test_a_holder_is_told_with_the_day_where_it_is_another_one_and_his_age_in_minutes_where_it_is_long():
    since_s = NOW_S - 3 * 86_400
    told = looked(NOW_S - 130, since_s=since_s).told("pixel6")
    since = f"{datetime.fromtimestamp(since_s).astimezone():%Y-%m-%d %H:%M}"
    assert told == f"pixel6 is held by lab@bench1, run paper, since {since}, seen 2 min ago; wait until it has ended"
    assert "seen 119 s ago" in looked(NOW_S - 119).told("pixel6")
    assert "seen 0 s ago" in looked(NOW_S + 5).told("pixel6")
    unclear = held.Lease(NOW_S, "", NOW_S - 640, None).told("pixel6")
    assert unclear.startswith("pixel6 is held by a lease that cannot be read, for 5 min more; ")


GOOD = (
    f"holder=lab@bench1 host=bench1 pid=1 boot={BOOT} run=paper token={'ab' * 8}\n"
    f"since={NOW_S} beat={NOW_S}\n{PHONE_BOOT}\n"
)


def test_what_stands_in_a_lease_is_read_whole_or_not_at_all():
    head = f"{NOW_S}\n{PHONE_BOOT}\n{NOW_S}\n"
    assert parse(head + GOOD).holder.run == "paper"
    assert parse(head + GOOD.replace(BOOT, "").replace(PHONE_BOOT, "")).holder.boot == ""
    for bad in (
        "",
        GOOD + GOOD,
        GOOD[:-1],
        GOOD.replace("pid=1", "pid=-1"),
        GOOD.replace("run=paper", "run=\x1b[31mred"),
        GOOD.replace("run=paper", "run=" + "a" * 65),
        GOOD.replace("run=paper", "run=../x"),
        GOOD.replace("host=bench1", "host=a b"),
        GOOD.replace("ab" * 8, "../" * 5 + "a"),
        GOOD.replace(f"beat={NOW_S}", "beat=999999999999"),
        GOOD.replace(f"beat={NOW_S}", "beat=٣"),
    ):
        assert parse(head + bad) == held.Lease(NOW_S, PHONE_BOOT, NOW_S, None)
    assert parse(f"{NOW_S}\n\nnone\n") == held.Lease(NOW_S, "", None, None)
    for answer in ("", "none\n", f"{NOW_S}\n", f"x\n{PHONE_BOOT}\n{NOW_S}\n", f"{NOW_S}\n{PHONE_BOOT}\n-1\n"):
        with pytest.raises(ValueError, match="no whole answer to who holds it"):
            parse(answer)


def test_a_dead_ones_lease_is_taken_over_and_that_is_said(disk):
    hold(disk, BENCH2).take()
    disk.age(901)
    said = []
    ours = hold(disk, BENCH1, said=said)
    ours.take()
    assert said == ["pixel6: the lease of lab@bench2 is taken over: it was not seen for 15 min"]
    assert disk.files() == [f"{BENCH1.token}.held"]
    ours.give_back()
    hold(disk, replace(BENCH2, pid=GONE)).take()
    hold(disk, replace(BENCH2, token="cd" * 8), said=said).take()
    assert said[1:] == ["pixel6: the lease of lab@bench2 is taken over: its run on this machine has ended"]
    disk.edit(PHONE_BOOT, OTHER_BOOT)
    hold(disk, BENCH3, said=said).take()
    assert said[2:] == ["pixel6: the lease of lab@bench2 is taken over: the phone was started again since"]


def test_a_lease_that_nobody_can_read_is_held_until_its_directory_is_as_old(disk):
    disk.place.mkdir()
    (disk.place / "x.held").write_text("no sense \x1b[2J" * 1000)
    disk.age_directory(840)
    with pytest.raises(BenchBusy, match=r"^pixel6 is held by a lease that cannot be read, for 1 min more; wait until"):
        hold(disk, BENCH1).take()
    disk.age_directory(901)
    said = []
    ours = hold(disk, BENCH1, said=said)
    ours.take()
    assert said == [
        "pixel6: a lease that cannot be read is taken over: nobody can read it and nobody changed it for 15 min"
    ]
    with pytest.raises(BenchBusy, match="held by lab@bench1"):
        hold(disk, BENCH2).take()
    ours.give_back()
    assert not disk.place.exists()


@pytest.mark.parametrize("readable", [True, False])
def test_who_looked_long_ago_takes_no_younger_lease(disk, readable):
    """Between his look and his hand two others came and one is there: his machine may have slept."""
    if readable:
        hold(disk, BENCH2).take()
        disk.age(901)
    else:
        disk.place.mkdir()
        disk.age_directory(901)
    second, third, slow = hold(disk, BENCH3), hold(disk, replace(BENCH2, token="cd" * 8)), Disk(disk.place.parent)

    def others_come(label: str | None) -> None:
        if label == "take over":
            slow.before = lambda label: None
            second.take()
            second.give_back()
            third.take()

    slow.before = others_come
    with pytest.raises(BenchBusy, match="held by lab@bench2"):
        hold(slow, BENCH1).take()
    third.beat()
    assert disk.files() == [f"{'cd' * 8}.held"]


def test_a_beat_is_by_the_phones_clock_and_keeps_since_when(disk):
    ours = hold(disk, BENCH1)
    ours.take()
    since_s = look(disk).holder.since_s
    disk.age(600)
    assert look(disk).holder.beat_s < since_s
    ours.beat()
    assert (look(disk).holder.since_s, look(disk).holder.beat_s >= since_s) == (since_s, True)


def test_who_was_away_for_too_long_finds_the_phone_taken_and_lets_it_be(disk):
    ours = hold(disk, BENCH1)
    ours.take()
    disk.age(901)
    hold(disk, BENCH2).take()
    with pytest.raises(BenchBusy) as raised:
        ours.beat()
    assert str(raised.value).startswith("pixel6 is held by lab@bench2, run virtual-paper, ")
    assert str(raised.value).endswith("; this run was away for so long that it was taken over")
    assert not ours.is_ours
    ours.give_back()
    assert disk.files() == [f"{BENCH2.token}.held"]


def test_a_lease_that_somebody_removed_is_made_anew(disk):
    ours = hold(disk, BENCH1)
    ours.take()
    shutil.rmtree(disk.place)
    ours.beat()
    assert look(disk).holder.token == BENCH1.token


def test_a_phone_that_holds_no_lease_at_all_is_trouble_in_its_own_words(disk):
    disk.place = disk.place / "missing" / "lease"
    with pytest.raises(PhoneTrouble, match=r"^pixel6 cannot be held: mkdir: .*: No such file or directory"):
        hold(disk, BENCH1).take()
    disk.place = disk.place.parent.parent / "full"
    run, disk.run = (
        disk.run,
        lambda *args, label: (
            ShellOutput("mkdir: lease: No space left on device\n", 1) if label == "hold" else run(*args, label=label)
        ),
    )
    with pytest.raises(NeedsPerson, match=r"^pixel6: no space is left in /data/local/tmp; make room on the phone"):
        hold(disk, BENCH1).take()
    disk.run = lambda *args, **label: ShellOutput("who are you?\n", 0)
    with pytest.raises(PhoneTrouble, match=r"^pixel6: no whole answer to who holds it: 'who are you"):
        look(disk)


@pytest.mark.parametrize(
    ("dead", "rounds"),
    [
        *(("nobody", 3), ("readable", 3), ("unreadable", 3)),
        pytest.param("nobody", 50, marks=pytest.mark.full),
        pytest.param("readable", 15, marks=pytest.mark.full),
        pytest.param("unreadable", 15, marks=pytest.mark.full),
    ],
)
def test_of_two_who_take_a_phone_at_once_one_has_it(tmp_path, dead, rounds):
    for number in range(rounds):
        root = tmp_path / str(number)
        root.mkdir()
        disks = [Disk(root), Disk(root)]
        if dead == "readable":
            hold(disks[0], BENCH3).take()
            disks[0].age(901)
        elif dead == "unreadable":
            disks[0].place.mkdir()
            disks[0].age_directory(901)
        barrier = threading.Barrier(2)

        def race(disk: Disk, us: Controller, barrier: threading.Barrier = barrier) -> str:
            barrier.wait()
            try:
                hold(disk, us).take()
            except BenchBusy as error:
                return str(error)
            return "has it"

        with ThreadPoolExecutor(2) as pool:
            ends = list(pool.map(race, disks, (BENCH1, BENCH2)))
        assert sorted(end == "has it" for end in ends) == [False, True], ends
        winner = look(disks[0]).holder
        assert ends[winner.host == "bench1"].startswith(f"pixel6 is held by lab@{winner.host}, ")
