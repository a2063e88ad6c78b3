"""Who holds a phone: a lease on the phone itself, so that two controllers on two machines cannot drive it at once.

The lease is a directory, which one `mkdir` alone makes, and in it one file, `TOKEN.held`, which says who holds it. That
is written under another name and renamed: it is whole or not there. A token is never used again. So whoever takes a
dead lease over renames the file of just that lease: of two who do so at once one finds it, and nobody takes a younger
lease for the one that he saw. All times in it are seconds by the phone's clock.

What stands on a phone anybody with adb may have written: it is bounded, one line, and of the types that it should be,
or no lease that can be read; it is held all the same until its directory has not changed for `STALE_S`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lab.errors import BenchBusy, LabError, PhoneTrouble
from lab.phone.adb import Adb
from lab.phone.fitness import require_room
from lab.programs.controller import Controller, runs_here, word

PLACE = "/data/local/tmp/im-call-lab.lease"
STALE_S = 900
"""A lease that was not beaten for so long, by the phone's clock, is a dead one's. It is more than the longest pause
between two beats (`lab.bench.beating`) and what a phone's silence may add to it."""

TAKING_S = 2
"""How soon a directory has its file, in whole seconds: one line of a shell makes both."""

TRIES = 5
"""Others may take and give back between our looks; so often it is tried again."""

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_LINE_BYTES = 1_000
# A line each for the phone's clock, its boot and the directory, then all files: of a whole lease there is one.
_LOOK = (
    f"date +%s; cat {_BOOT_ID} 2>/dev/null || echo; "
    f"test -d {PLACE} && stat -c %Y {PLACE} 2>/dev/null || echo none; "
    f"cat {PLACE}/*.held 2>/dev/null | head -c {_LINE_BYTES}"
)
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SECONDS = r"\d{1,11}"
_WORD = r"[A-Za-z0-9._-]{1,64}"
_LOOKED = re.compile(rf"({_SECONDS})\n({_UUID})?\n(none|{_SECONDS})\n(.*)", re.ASCII | re.DOTALL)
_HELD = re.compile(
    rf"holder=(?P<holder>{_WORD}@{_WORD}) host=(?P<host>{_WORD}) pid=(?P<pid>\d{{1,9}}) boot=(?P<boot>(?:{_UUID})?) "
    rf"run=(?P<run>{_WORD}) token=(?P<token>[0-9a-f]{{16}})\nsince=(?P<since>{_SECONDS}) beat=(?P<beat>{_SECONDS})\n"
    rf"(?P<phone>(?:{_UUID})?)\n",
    re.ASCII,
)


@dataclass(frozen=True)
class Holder:
    """What the lease says: who holds the phone, in which run, since when, and when he was last seen."""

    holder: str
    host: str
    pid: int
    boot: str
    run: str
    token: str
    since_s: int
    beat_s: int
    phone_boot: str


@dataclass(frozen=True)
class Lease:
    """A look at the phone. `changed_s` is when the lease's directory changed, None where there is none; `holder` is
    None where nobody can be read in it. `boot` is the phone's, empty where it does not tell."""

    now_s: int
    boot: str
    changed_s: int | None
    holder: Holder | None

    def is_being_taken(self) -> bool:
        """Whether somebody may be about to write it."""
        return self.holder is None and abs(self.now_s - (self.changed_s or 0)) <= TAKING_S

    def dead(self, us: Controller) -> str:
        """Why nobody holds the phone any more though there is a lease, for who has the lock of this phone on this
        machine; empty where somebody may."""
        if self.holder is None:
            age_s = abs(self.now_s - (self.changed_s or 0))
            return f"nobody can read it and nobody changed it for {age_s // 60} min" if age_s > STALE_S else ""
        held = self.holder
        # The process is looked for as well: a phone has other locks by USB and by its address.
        if us.is_this_machine(held.host, held.boot) and not runs_here(held.pid):
            return "its run on this machine has ended"
        if held.phone_boot and self.boot and held.phone_boot != self.boot:
            return "the phone was started again since"
        # A clock that was set back makes no lease younger than it is: a living one is beaten by the new time.
        age_s = abs(self.now_s - held.beat_s)
        return f"it was not seen for {age_s // 60} min" if age_s > STALE_S else ""

    def told(self, name: str) -> str:
        """Who holds the phone `name`, since when, and when he was seen."""
        if self.holder is None:
            left_s = STALE_S - abs(self.now_s - (self.changed_s or 0))
            wait = f"wait until then, or look at {PLACE} on it"
            return f"{name} is held by a lease that cannot be read, for {max(1, -(-left_s // 60))} min more; {wait}"
        held, since = self.holder, datetime.fromtimestamp(self.holder.since_s).astimezone()
        today = datetime.fromtimestamp(self.now_s).astimezone().date() == since.date()
        at = f"{since:%H:%M}" if today else f"{since:%Y-%m-%d %H:%M}"
        age_s = max(0, self.now_s - held.beat_s)
        seen = f"{age_s} s" if age_s < 120 else f"{age_s // 60} min"
        return f"{name} is held by {held.holder}, run {held.run}, since {at}, seen {seen} ago; wait until it has ended"


def parse(text: str) -> Lease:
    """What a look printed. Raises `ValueError`."""
    if (found := _LOOKED.fullmatch(text.replace("\r\n", "\n"))) is None:
        raise ValueError("no whole answer to who holds it")
    now_s, boot, changed, lease = found.groups()
    held = _HELD.fullmatch(lease)
    holder = held and Holder(
        held["holder"], held["host"], int(held["pid"]), held["boot"], held["run"], held["token"],
        int(held["since"]), int(held["beat"]), held["phone"],
    )  # fmt: skip
    return Lease(int(now_s), boot or "", None if changed == "none" else int(changed), holder)


def look(adb: Adb, first: str = "") -> Lease:
    """Who holds a phone; nothing is changed but by `first`, which prints nothing. Raises `PhoneTrouble`."""
    answer = adb.run(first + _LOOK, label="who holds it").text
    try:
        return parse(answer)
    except ValueError as error:
        raise PhoneTrouble(f"{adb.name}: {error}: {answer[:80]!r}") from error


class Hold:
    """One phone, held by us from `take` to `give_back`. Whoever makes it has the phone's lock on this machine.

    `say` gets a line where a dead one's lease is taken over.
    """

    def __init__(self, adb: Adb, us: Controller, run: str, say: Callable[[str], None]) -> None:
        self._adb, self._us, self._run, self._say = adb, us, word(run), say
        self._file, self._new = f"{PLACE}/{us.token}.held", f"{PLACE}/{us.token}.new"
        self._since_s: int | None = None
        self.name = adb.name
        self.is_ours = False
        """Or it may be: what a phone was asked for it may have done though its answer did not come."""

    def take(self) -> None:
        """Raises `BenchBusy` where somebody else holds it, `NeedsPerson` where it has no room for that, and
        `PhoneTrouble`."""
        self.is_ours, said = True, ""
        take = f"mkdir {PLACE} && {{ {self._write()} || {{ rm -r {PLACE}; false; }}; }}"
        for number in range(TRIES):
            said = self._adb.run(take, label="hold").text
            if self._have(lease := look(self._adb)):
                return
            if lease.changed_s is None or (number + 1 < TRIES and lease.is_being_taken()):
                continue
            if not (why := lease.dead(self._us)):
                self.is_ours = False
                raise BenchBusy(lease.told(self.name))
            # After it somebody has it: we, or who was sooner.
            said = self._adb.run(self._take_over(lease), label="take over").text
            if self._have(look(self._adb)):
                whose = "a lease that cannot be read" if lease.holder is None else f"the lease of {lease.holder.holder}"
                self._say(f"{self.name}: {whose} is taken over: {why}")
                return
        require_room(self.name, said)
        raise PhoneTrouble(f"{self.name} cannot be held: {said.strip()[:200] or 'its lease changes all the time'}")

    def beat(self) -> None:
        """Say on the phone that we are still here. Raises `BenchBusy` where it is somebody else's by now, and
        `PhoneTrouble`."""
        if self._have(lease := look(self._adb, f"test -f {self._file} && {{ {self._write()}; }} 2>/dev/null; ")):
            return
        if lease.changed_s is None:  # somebody has removed it by hand
            return self.take()
        self.is_ours = False
        raise BenchBusy(f"{lease.told(self.name)}; this run was away for so long that it was taken over")

    def give_back(self) -> None:
        """Nobody holds it any more; nothing is touched that is not ours. Never raises: another run of this machine
        takes a lease that stays over."""
        if not self.is_ours:
            return
        self.is_ours = False
        self._adb.close()  # a shell from before a break would not answer
        try:
            self._adb.run(f"rm {self._file} && rm -rf {PLACE}", label="give back")
        except LabError:
            return

    def _have(self, lease: Lease) -> bool:
        """Whether the lease is ours, and nobody's beside."""
        if lease.holder is None or lease.holder.token != self._us.token:
            return False
        self._since_s = lease.holder.since_s
        return True

    def _write(self, between: str = "") -> str:
        """The line that writes our lease; `between` is done when it is written and does not yet count."""
        us, since = self._us, "%s" if self._since_s is None else self._since_s
        who = f"holder={us.name} host={us.host} pid={us.pid} boot={us.boot} run={self._run} token={us.token}"
        clock, boot = f"date +'since={since} beat=%s'", f"{{ cat {_BOOT_ID} 2>/dev/null || echo; }}"
        lease = f"{{ echo '{who}' && {clock} && {boot}; }} > {self._new}"
        return f"{lease} && {between}mv -f {self._new} {self._file}"

    def _take_over(self, lease: Lease) -> str:
        """The line that makes a dead lease ours, unless somebody else was sooner."""
        if lease.holder is not None:
            # The file of no other lease has this name, so this succeeds for one alone.
            dead, gone = f"{PLACE}/{lease.holder.token}.held", f"{PLACE}/{self._us.token}.gone"
            return f"{{ {self._write(f'mv {dead} {gone} && ')} && rm -f {gone}; }} || rm -f {self._new}"
        # Here one alone makes the directory that is named by when this one had changed; that changes it.
        mine = f"{PLACE}/{lease.changed_s}.taken"
        same = f"stat -c =%Y= {PLACE} | grep -q ={lease.changed_s}="
        return f"{same} && mkdir {mine} && rm -f {PLACE}/*.held && {self._write()}"
