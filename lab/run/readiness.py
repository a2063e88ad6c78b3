"""Before an attempt: may both phones and the laptop begin it? What passes by itself is waited for.

Phones are asked in one line of their shell each, the laptop in one. An attempt that is not begun has no number. What a
machine does not tell is told once and keeps nobody from calling, and so is a phone that does not answer: the attempt
that begins then is the recovery ladder's business.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from correlate.dataset.attempts import JOURNAL_TEXT
from correlate.dataset.journal import Journal
from lab.bench.bench import Bench
from lab.capture.tcpdump import PHONE_DIRECTORY
from lab.errors import AttemptVoid, LabError, LaptopTrouble, NeedsPerson, PhoneTrouble
from lab.phone import fitness
from lab.phone.fitness import ENOUGH_PERCENT, ROOM_KIB, Finding, Fitness
from lab.phone.phone import Phone
from lab.run.causes import class_of
from lab.run.guard import BUG

EVERY_S = 60.0
"""How often a phone is asked again that is to be charged, or to cool down."""
MOST_ASKS = 60
"""So often: an hour, and then it is a person's."""
SLOW = {"battery": "battery_low", "heat": "too_hot"}
"""What passes by itself, slowly, and its reason in the journal."""


@dataclass(frozen=True)
class Readiness:
    """`rest` lets a bench wait for so many seconds; `told` are the answers that could not be read, each told once."""

    journal: Journal
    say: Callable[[str], None]
    rest: Callable[[Bench, float], None]
    told: set[tuple[str, str]] = field(default_factory=set)

    def require(self, bench: Bench) -> AttemptVoid | None:
        """Return once an attempt may begin; why its networks cannot be those of the bench, where a phone is in
        airplane mode.

        Raises `NeedsPerson` for a disk without room, and for a phone that stays too hot or too empty for an hour.
        """
        asked = [(phone, self._asked(phone)) for phone in bench.phones.values()]
        found = [(phone, one) for phone, one in asked if one is not None]
        for phone, one in found:
            _require_room(phone.spec.name, one.disk())
        self._require_room_on_laptop(bench)
        slow = {phone.spec.name: unfit for phone, one in found if (unfit := _slow(one))}
        if slow:
            self._await(bench, slow)
        for phone, one in found:
            if _flies(phone, one):
                void = _in_airplane_mode(phone)
                self.journal.append("waiting", on=phone.spec.name, reason=void.reason, text=str(void))
                return void
        return None

    def cause(self, bench: Bench, error: LabError) -> LabError:
        """What an attempt failed of: airplane mode, where a phone is in it and that is the cause; else as it is given.

        A phone behind the hotspot may call in airplane mode, by Wi-Fi: there it is the cause where it has no network.
        """
        lost = class_of(error).policy == "pause"
        in_call = isinstance(error, AttemptVoid) and error.reason != BUG and class_of(error).policy == "breaker"
        if not (lost or in_call):
            return error
        for phone in bench.phones.values():
            found = self._asked(phone)
            if found is None or found.airplane_mode().verdict != "unfit":
                continue
            if _flies(phone, found) or (lost and _has_no_network(phone)):
                return _in_airplane_mode(phone)
        return error

    def _asked(self, phone: Phone) -> Fitness | None:
        name = phone.spec.name
        try:
            found = fitness.ask(phone.device, PHONE_DIRECTORY)
        except PhoneTrouble as error:
            self._tell(name, "answers", f"cannot be asked how it is: {error}")
            return None
        for one in (found.battery(), found.heat(), found.disk(), found.airplane_mode()):
            if one.verdict == "unknown":
                self._tell(name, one.what, f"its {one.what} is unknown: {one.text}")
        return found

    def _tell(self, name: str, what: str, text: str) -> None:
        if (name, what) not in self.told:
            self.told.add((name, what))
            self.say(f"{name}: {text}; it is taken for fit")

    def _require_room_on_laptop(self, bench: Bench) -> None:
        if all(phone.spec.vantage != "hotspot" for phone in bench.phones.values()):
            return  # nothing is captured there
        try:
            free = bench.laptop.room_kib()
        except LaptopTrouble as error:
            self._tell("laptop", "answers", f"cannot be asked for its room: {error}")
            return
        if free is None:
            self._tell("laptop", "disk", "its room is unknown: df says no number")
        elif free < ROOM_KIB:
            _require_room("laptop", Finding("disk", "unfit", f"{free // 1024} MiB free", "make room on the laptop"))

    def _await(self, bench: Bench, slow: dict[str, Finding]) -> None:
        """Return once what was too low or too hot is not any more. What is better after an hour than what makes one
        wait may begin as well."""
        for name, unfit in slow.items():
            text = f"{_words(unfit)}; waits until it {_aim(unfit)}, asks each minute, {MOST_ASKS} min at most"
            self.journal.append("waiting", on=name, reason=SLOW[unfit.what], text=text[:JOURNAL_TEXT])
            self.say(f"{name}: {text}")
        for minutes in range(1, 1 + MOST_ASKS):
            self.rest(bench, EVERY_S)
            asked = {name: self._asked(bench.phones[name]) for name in slow}
            if all(one is None or not _slow(one, ENOUGH_PERCENT) for one in asked.values()):
                self.say(f"{', '.join(slow)}: fit again after {minutes} min; goes on")
                return
        for name, one in asked.items():
            if one is not None and (still := _slow(one)) is not None:
                raise NeedsPerson(f"{name}: {_words(still)}, {MOST_ASKS} min later too; {still.fix} and run again")


def _slow(found: Fitness, least_percent: int = fitness.LEAST_PERCENT) -> Finding | None:
    return next((one for one in (found.battery(least_percent), found.heat()) if one.verdict == "unfit"), None)


def _words(unfit: Finding) -> str:
    return f"its battery is at {unfit.text}" if unfit.what == "battery" else f"it is hot, {unfit.text}"


def _aim(unfit: Finding) -> str:
    return f"has {ENOUGH_PERCENT}%" if unfit.what == "battery" else f"is below status {fitness.SEVERE}"


def _require_room(name: str, found: Finding) -> None:
    if found.verdict == "unfit":
        text = f"{found.text}, the captures of a trial may need {ROOM_KIB >> 10}"
        raise NeedsPerson(f"{name}: {text}; {found.fix} and run again")


def _flies(phone: Phone, found: Fitness) -> bool:
    """Whether a phone is in airplane mode that cannot call in it: one behind the hotspot can, by Wi-Fi."""
    return phone.spec.vantage != "hotspot" and found.airplane_mode().verdict == "unfit"


def _has_no_network(phone: Phone) -> bool:
    try:
        phone.default_network()
    except AttemptVoid as void:  # where it has no route that is `wrong_network`, and nothing else is
        return void.reason == "wrong_network"
    except PhoneTrouble:
        return False
    return False


def _in_airplane_mode(phone: Phone) -> AttemptVoid:
    return AttemptVoid("airplane_mode", f"{phone.spec.name} is in airplane mode; switch it off there")
