"""Chains of ways, from an app's file, gone on a phone until their effect is seen.

The ways of a chain are tried in turn, round and round, under one deadline of bench time. A tap may happen twice
(`lab.phone.screen`): the state is looked at before each, and a way that was used gets time to show its effect.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lab.clocks.bench_time import POLL_S, BenchClock
from lab.definitions import App, Selector, Way
from lab.phone.adb import Adb
from lab.phone.screen import Screen
from lab.phone.starting import Answer, asked, launch, start_command
from lab.phone.witnesses import notifications
from lab.phone.witnesses.facts import Missing

AGAIN_S = 3.0
"""How long a way that was used may take to show its effect before it is used again."""
IN_THE_WAY_S = 1.0
"""How long a way that was used may take to show its effect before a dialog is looked for that is in its way."""
SHADE_S = 0.6


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
        """Use ways in turn until `reached` holds; a way that was used gets 3 s before it is used again.

        With `own` taps and swipes reach what is the app's own only: another app's call has a "Decline", too.
        """
        deadline_ns = self.clock.now_ns() + round(within_s * 1e9)
        last_ns: dict[int, int] = {}
        used: list[Used] = []
        while not (done := reached()) and (now_ns := self.clock.now_ns()) < deadline_ns:
            waited_s = {index: (now_ns - at_ns) / 1e9 for index, at_ns in last_ns.items()}
            ready = (index for index in range(len(ways)) if waited_s.get(index, AGAIN_S) >= AGAIN_S)
            gone = next((index for index in ready if self._use(ways[index], app, contact, title, own=own)), None)
            if gone is not None:
                last_ns[gone] = now_ns
                used.append(Used(str(ways[gone]), now_ns, self.clock.now_ns()))
            elif min(waited_s.values(), default=AGAIN_S) >= AGAIN_S and self.reveal_controls(app):
                pass
            elif min(waited_s.values(), default=AGAIN_S) >= IN_THE_WAY_S:
                # An intent can always be used: what is in its way would never be looked for if it had to fail first.
                any(self.screen.tap(selector.as_query()) for selector in app.dismiss)
            self.clock.sleep(POLL_S)
        return Pursuit(done, tuple(used))

    def reveal_controls(self, app: App) -> bool:
        """Bring the controls of a call back that hide after a while; False where no way to it can be gone now."""
        return any(self._use(way, app) for way in app.reveal_controls)

    def call_notifications(self) -> tuple[str, ...]:
        """The packages that notify of a call now; none where that cannot be read."""
        posted = notifications.posted(self.adb)
        return () if isinstance(posted, Missing) else tuple(one.package for one in posted if one.category == "call")

    def other_calls(self, app: App) -> list[str]:
        """The packages of other apps that notify of a call now."""
        return sorted(set(self.call_notifications()) - {app.package})

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
            return self._taken(str(way), asked(self.adb, start_command(way.intent, contact)))
        if way.key is not None:
            return self._taken(str(way), asked(self.adb, f"input keyevent {way.key}"))
        return self._taken(str(way), launch(self.adb, app.package))

    def _tap_notification(self, app: App, query: dict[str, str]) -> bool:
        """A heads-up notification is tapped where it is; else the shade is opened, and closed if it is not there.

        None is tapped while another app notifies of a call: its buttons may be called alike.
        """
        if self.other_calls(app):
            return False
        if self.screen.tap(query):
            return True
        self.screen.open_shade()
        self.clock.sleep(SHADE_S)
        if self.screen.tap(query):
            return True
        self.screen.press("back")
        return False

    def _taken(self, way: str, answer: Answer) -> bool:
        """Whether a way may have been gone: what nobody can tell is looked for on the phone."""
        self.refused.pop(way, None)
        if answer.meaning == "refused":
            self.refused[way] = answer.said
        return answer.meaning != "refused"


def listed(chain: Iterable[Selector | Way]) -> str:
    """A chain as an error names it: `[tap description=Decline, key ENDCALL]`."""
    return f"[{', '.join(str(link) for link in chain)}]"
