"""Chains of ways, from an app's file, gone on a phone until their effect is seen.

The ways of a chain are tried in turn, round and round, under one deadline of bench time. A tap may happen twice
(`lab.phone.screen`): the state is looked at before each, and a way that was used gets time to show its effect. Before
one that had none is used again, what the app's file knows as a dialog is sent away: an intent can always be "used".
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lab.clocks.bench_time import POLL_S, BenchClock
from lab.definitions import App, Selector, Way
from lab.errors import PhoneTrouble
from lab.phone.adb import Adb
from lab.phone.agent_words import explained
from lab.phone.screen import Screen
from lab.phone.starting import Answer, launch, meant, started
from lab.phone.witnesses import notifications, telephony
from lab.phone.witnesses.facts import Missing

AGAIN_S = 3.0
"""How long a way that was used may take to show its effect before it is used again."""
SHADE_S = 0.6
SYSTEM_UI = "com.android.systemui"
_REVEAL = -1
"""The turn of the controls that are brought back, beside those of the ways."""


@dataclass(frozen=True)
class Used:
    """A way that was used, between two instants of the controller's clock."""

    way: str
    from_ns: int
    to_ns: int


@dataclass(frozen=True)
class Pursuit:
    """Whether an aim was reached, and which ways were used for it, in order.

    An aim that was reached without a way is somebody else's doing.
    """

    reached: bool
    used: tuple[Used, ...]


@dataclass(frozen=True)
class Chains:
    """Goes the ways of an app's file on one phone. All methods may raise `PhoneTrouble`.

    `refused` has what the phone's own programs said of ways that they refused last, by way.
    """

    adb: Adb
    screen: Screen
    clock: BenchClock
    refused: dict[str, str] = field(default_factory=dict)

    def pursue(
        self,
        app: App,
        ways: Sequence[Way],
        reached: Callable[[], bool],
        within_s: float,
        contact: str = "",
        title: str = "",
        *,
        own: bool = False,
    ) -> Pursuit:
        """Use ways in turn until `reached` holds.

        A way that was used gets 3 s; before it is used again, what is in the way is dismissed and looked past. With
        `own` taps and swipes reach what is the app's own only: another app's call has a "Decline", too.
        """
        deadline_ns = self.clock.now_ns() + round(within_s * 1e9)
        last_ns: dict[int, int] = {}
        cleared_ns = self.clock.now_ns() - 1
        used: list[Used] = []
        while not (done := reached()) and (now_ns := self.clock.now_ns()) < deadline_ns:
            waiting = {turn for turn, at_ns in last_ns.items() if now_ns - at_ns < AGAIN_S * 1e9}
            without_effect = any(at_ns > cleared_ns for turn, at_ns in last_ns.items() if turn not in waiting)
            if without_effect:
                cleared_ns = now_ns
            if not (without_effect and self.dismiss(app)):
                ready = (index for index in range(len(ways)) if index not in waiting)
                gone = next((index for index in ready if self._use(ways[index], app, contact, title, own=own)), None)
                if gone is not None:
                    last_ns[gone] = now_ns
                    used.append(Used(str(ways[gone]), now_ns, self.clock.now_ns()))
                elif not waiting and self.reveal_controls(app):
                    last_ns[_REVEAL] = now_ns
                elif not waiting:
                    self.dismiss(app)
            self.clock.sleep(POLL_S)
        return Pursuit(done, tuple(used))

    def dismiss(self, app: App) -> bool:
        """Tap each dialog of the app's file that is there, once; False where none is, or where another app's call is,
        whose buttons may be called alike."""
        there = [query for one in app.dismiss if self.screen.shows(query := one.as_query())]
        return bool(there) and not self.other_calls(app) and any([self.screen.tap(query) for query in there])

    def reveal_controls(self, app: App) -> bool:
        """Bring the controls of a call back that hide after a while; False where no way to it can be gone now."""
        return any(self._use(way, app) for way in app.reveal_controls)

    def call_notifications(self) -> tuple[str, ...]:
        """The packages that notify of a call now; none where that cannot be read."""
        posted = notifications.posted(self.adb)
        return () if isinstance(posted, Missing) else tuple(one.package for one in posted if one.category == "call")

    def other_calls(self, app: App) -> list[str]:
        """Whose calls there are now beside the app's: the packages that notify of one, and SIMs."""
        sims = telephony.look(self.adb)
        busy = [] if isinstance(sims, Missing) else [f"SIM {sim.phone_id}" for sim in sims if sim.call_state != 0]
        return sorted(set(self.call_notifications()) - {app.package}) + busy

    def launch(self, app: App) -> bool:
        """Start an app as from its icon; False where the phone refuses."""
        return self._taken("launch", launch(self.adb, app.package))

    def refusals(self, ways: Sequence[Way]) -> str:
        """What an error adds of ways that the phone's own programs refused: `; am start ... says '...'`, or nothing."""
        told = dict.fromkeys(f"; {way}: {said!r}" for way in map(str, ways) if (said := self.refused.get(way)))
        return "".join(told)

    def _use(self, way: Way, app: App, contact: str = "", title: str = "", *, own: bool = False) -> bool:
        """Go one way; False where it cannot be gone now."""
        whose = {"packageName": app.package} if own else {}
        if way.tap is not None:
            return self.screen.tap(way.tap.as_query(contact, title) | whose)
        if way.swipe_up is not None:
            return self.screen.swipe_up(way.swipe_up.as_query(contact, title) | whose)
        if way.notification is not None:
            return self._tap_notification(app, way.notification.as_query(contact, title))
        if way.intent is not None:
            return self._taken(str(way), started(self.adb, way.intent, contact))
        if way.key is not None:
            return not (own and self.other_calls(app)) and self._press(way.key)
        return self._taken(str(way), launch(self.adb, app.package))

    def _press(self, key: str) -> bool:
        """Press a key by Android's name of it, which ends or takes whatever call there is."""
        output = self.adb.run(f"input keyevent {key}")
        if why := explained(output.text):
            raise PhoneTrouble(f"{self.screen.name}: `input keyevent {key}`: {why}")
        return self._taken(f"key {key}", meant("input", output))

    def _tap_notification(self, app: App, query: dict[str, str]) -> bool:
        """A heads-up notification is tapped where it is; else the shade is opened, and closed if it is not there.

        None is tapped while there is another call: its buttons may be called alike.
        """
        if self.other_calls(app):
            return False
        if self._tap_own(app, query):
            return True
        self.screen.open_shade()
        self.clock.sleep(SHADE_S)
        if self._tap_own(app, query):
            return True
        self.screen.press("back")
        return False

    def _tap_own(self, app: App, query: dict[str, str]) -> bool:
        """Tap a button of the app's notification, whose nodes are its own on some Androids, else the system's.

        Which of two that are alike is the app's, nobody can tell, nor whose one is while the app notifies of no call.
        """
        if self.screen.tap(query | {"packageName": app.package}):
            return True
        systems = query | {"packageName": SYSTEM_UI}
        if not self.screen.is_single(systems) or app.package not in self.call_notifications():
            return False
        return self.screen.tap(systems)

    def _taken(self, way: str, answer: Answer) -> bool:
        """Whether a way may have been gone: what nobody can tell is looked for on the phone."""
        self.refused.pop(way, None)
        if answer.meaning == "refused":
            self.refused[way] = answer.said
        return answer.meaning != "refused"


def listed(chain: Iterable[Selector | Way]) -> str:
    """A chain as an error names it: `[tap description=Decline, key ENDCALL]`."""
    return f"[{', '.join(str(link) for link in chain)}]"
