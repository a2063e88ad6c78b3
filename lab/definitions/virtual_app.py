"""An emulated app: its screens, notifications and timers (`scenarios/virtual/APP.yaml`).

The screens say what an operator would find in a hierarchy dump of the phone; they are written apart from the selectors
in `scenarios/apps/APP.yaml`. What the app puts on the wire is its `network` section.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lab.definitions.app import Refused
from lab.definitions.base import Model, Name, Place, Service, refuse, repeated
from lab.definitions.rig import RigCalls, unlike
from lab.definitions.scenario import Uniform
from lab.definitions.virtual_network import AppNetwork
from lab.definitions.yaml import did_you_mean

Action = Literal[
    "none",
    "open_chat",
    "place_voice",
    "place_video",
    "answer",
    "reject",
    "hang_up",
    "show_controls",
    "show",
    "dismiss",
    "home",
]
Phase = Literal["calling", "ringing", "connecting", "talking"]
Elapsed = Literal["m:ss", "mm:ss"]
IncomingAs = Literal["by_screen", "full_screen", "heads_up"]

WIDTH, HEIGHT = 1080, 2400
_PEER, _ELAPSED = "{peer}", "{elapsed}"
_BRACED = re.compile(r"\{[^{}]*\}")
_IN_A_CALL = {"answer", "reject", "hang_up", "show_controls"}

Mistake = tuple[Place, str]
Shown = Annotated[str, Field(description="may hold {peer}, and {elapsed} on the connected screen")]
Bounds = Annotated[
    tuple[
        Annotated[int, Field(ge=0, le=WIDTH)],
        Annotated[int, Field(ge=0, le=HEIGHT)],
        Annotated[int, Field(ge=0, le=WIDTH)],
        Annotated[int, Field(ge=0, le=HEIGHT)],
    ],
    Field(description="left, top, right, bottom in pixels of a 1080 x 2400 screen"),
]


def _placeholders(*texts: str) -> set[str]:
    return {match for text in texts for match in _BRACED.findall(text)}


def _unknown(allowed: set[str], **texts: str) -> list[Mistake]:
    known = " and ".join(sorted(allowed))
    return [
        ((key,), f"no placeholder {name} here; there is {known}")
        for key, text in texts.items()
        for name in sorted(_placeholders(text) - allowed)
    ]


class VirtualNode(Model):
    """One accessibility node. Shown only in its `service`, its `phase` and, if it `hides`, while controls are shown.

    `tap` and `swipe_up` say what a gesture on it does; `show` needs the `screen` it shows.
    """

    class_name: str
    id: str = ""
    text: Shown = ""
    description: Shown = ""
    bounds: Bounds
    clickable: bool = False
    tap: Action = "none"
    swipe_up: Action = "none"
    screen: Name | None = None
    service: Service | None = None
    phase: Phase | None = None
    hides: bool = False

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        found = _unknown({_PEER, _ELAPSED}, text=self.text, description=self.description)
        left, top, right, bottom = self.bounds
        if left >= right or top >= bottom:
            found.append((("bounds",), f"bounds are left, top, right, bottom of an area, not {list(self.bounds)}"))
        if self.tap != "none" and not self.clickable:
            found.append((("tap",), f"a node with tap: {self.tap} needs clickable: true"))
        if ("show" in (self.tap, self.swipe_up)) != (self.screen is not None):
            found.append(((), "the action 'show' and the key 'screen' go together"))
        refuse(found)
        return self


class VirtualScreen(Model):
    """What one activity shows. A `dialog` lies over what was there and takes every tap.

    Nodes are in drawing order: where two overlap, the later one takes the tap if it is clickable.
    """

    name: Name
    activity: str
    dialog: bool = False
    nodes: list[VirtualNode] = Field(min_length=1)


class VirtualRefusal(Model):
    """What the app shows where it will not call, and why it does: a rehearsal may have it say so."""

    reason: Refused
    screen: VirtualScreen


class VirtualIntent(Model):
    """An intent that the app answers: `data` holds {contact} once, `opens` names the screen for that contact."""

    action: str
    data: str
    mime_type: str | None = None
    opens: Name

    @model_validator(mode="after")
    def _names_a_contact(self) -> Self:
        if self.data.count("{contact}") != 1:
            refuse([(("data",), "data must hold {contact} once")])
        return self


class ServiceTexts(Model):
    """One text for each service."""

    voice: str
    video: str

    def of(self, service: Service) -> str:
        return self.voice if service == "voice" else self.video


class NotificationButton(Model):
    """A button of a notification, as the system draws it."""

    id: str = ""
    text: str = ""
    description: str = ""
    tap: Literal["answer", "reject", "hang_up"]
    service: Service | None = None


class NotificationForm(Model):
    """A notification: its id in dumpsys, its texts (may hold {peer}) and buttons."""

    id: int
    channel: str
    title: str
    text: ServiceTexts
    buttons: list[NotificationButton] = Field(default_factory=list)

    @model_validator(mode="after")
    def _knows_the_peer_only(self) -> Self:
        found = _unknown({_PEER}, title=self.title)
        found += [(("text", *place), text) for place, text in _unknown({_PEER}, **self.text.model_dump())]
        refuse(found)
        return self


class Notifications(Model):
    """The notifications of a call: while it rings here, while it goes on, and after it was missed."""

    incoming: NotificationForm
    ongoing: NotificationForm
    missed: NotificationForm


class Rating(Model):
    """A sheet that asks for a rating after a conversation, in `percent` of them on each side."""

    screen: Name
    percent: int = Field(ge=1, le=100)


class SlowRing(Model):
    """Calls that ring later: in `percent` of the calls to a phone on `callee_network`, by `more_s`."""

    callee_network: Name
    percent: int = Field(ge=1, le=100)
    more_s: Uniform


class Timers(Model):
    """How long the app and its operator take; every value is drawn anew for each call, in seconds.

    `ring_delay_s` from placing until the callee rings, and `slow_ring` what is added to it; `signal_s` for news to
    reach the other phone; `answer_delay_s` from the tap until the call is answered; `connect_s` from then until the
    timer runs; `hangup_delay_s` from the end until the other phone knows; `ring_timeout_s` from ringing until the
    operator gives up; `ended_s` how long the ended screen stays; `controls_hide_s` until the controls of a video call
    hide; `heads_up_s` until a heads-up notification moves into the shade (never, if absent); `open_s` until a screen
    that was asked for is there.
    """

    open_s: Uniform
    ring_delay_s: Uniform
    slow_ring: SlowRing | None = None
    signal_s: Uniform
    answer_delay_s: Uniform
    hangup_delay_s: Uniform
    ring_timeout_s: Uniform
    connect_s: Uniform | None = None
    ended_s: Uniform | None = None
    controls_hide_s: Uniform | None = None
    heads_up_s: Uniform | None = None


class VirtualApp(Model):
    """An emulated app. `launch`, `chat`, `outgoing`, ... name its screens for these states.

    `telecom` is the app's self-managed ConnectionService, absent where the app does not tell Android of its calls.
    `logged_out` is all that it shows once its account is logged out, which a rehearsal may play, as the `refusals`.
    `rig` is how two browsers play its calls, absent where they cannot: then the app is not for a bench of kind rig.
    """

    name: Name
    package: str = Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")
    version: str
    version_code: int = Field(gt=0)
    label: str
    services: list[Service] = Field(min_length=1)
    elapsed: Elapsed
    telecom: str | None = None
    incoming_as: IncomingAs
    launch: Name
    chat: Name
    outgoing: Name
    incoming: Name | None = None
    connected: Name
    ended: Name | None = None
    unanswered: Name | None = None
    rating: Rating | None = None
    logged_out: VirtualScreen | None = None
    refusals: list[VirtualRefusal] = Field(default_factory=list)
    intents: list[VirtualIntent] = Field(default_factory=list)
    notifications: Notifications
    timers: Timers
    screens: list[VirtualScreen] = Field(min_length=1)
    network: AppNetwork
    rig: RigCalls | None = None

    def screen(self, name: str) -> VirtualScreen:
        """The screen of that name; it exists for every name that the definition holds."""
        return next(screen for screen in self.screens if screen.name == name)

    def refuses(self, reason: str) -> VirtualScreen | None:
        """What it shows where it will not call for that reason; None where nobody has written that down."""
        if reason == "logged_out":
            return self.logged_out
        return next((one.screen for one in self.refusals if one.reason == reason), None)

    def place_action(self, service: Service) -> Action:
        """The action that places a call of that service."""
        return "place_voice" if service == "voice" else "place_video"

    def _actions(self, screen: str) -> set[str]:
        return {action for node in self.screen(screen).nodes for action in (node.tap, node.swipe_up)}

    def _named_screens(self) -> list[tuple[Place, str | None]]:
        states = ("launch", "chat", "outgoing", "incoming", "connected", "ended", "unanswered")
        named: list[tuple[Place, str | None]] = [((state,), getattr(self, state)) for state in states]
        if self.rating is not None:
            named.append((("rating", "screen"), self.rating.screen))
        named += [(("intents", index, "opens"), intent.opens) for index, intent in enumerate(self.intents)]
        for index, screen in enumerate(self.screens):
            named += [(("screens", index, "nodes", i, "screen"), node.screen) for i, node in enumerate(screen.nodes)]
        return named

    @model_validator(mode="after")
    def _screens_exist(self) -> Self:
        names = [screen.name for screen in self.screens]
        found: list[Mistake] = [
            (("screens", index, "name"), f"a second screen named '{name}'") for index, name in repeated(names)
        ]
        for place, name in self._named_screens():
            if name is not None and name not in names:
                hint = did_you_mean(name, names) or f"; there are {', '.join(names)}"
                found.append((place, f"no screen '{name}'{hint}"))
        refuse(found)
        return self

    @model_validator(mode="after")
    def _browsers_play_the_same_app(self) -> Self:
        refuse((("rig", *place), text) for place, text in (unlike(self.rig, self.network) if self.rig else ()))
        return self

    @model_validator(mode="after")
    def _states_have_their_ways_out(self) -> Self:
        found: list[Mistake] = []
        if self.incoming is None and self.incoming_as != "heads_up":
            found.append((("incoming_as",), f"incoming_as: {self.incoming_as} needs the key 'incoming'"))
        wanted = [("outgoing", self.outgoing, "hang_up"), ("connected", self.connected, "hang_up")]
        if self.incoming is not None:
            wanted += [("incoming", self.incoming, "answer"), ("incoming", self.incoming, "reject")]
        for key, screen, action in wanted:
            if action not in self._actions(screen):
                found.append(((key,), f"nothing on screen '{screen}' does {action}"))
        for index, service in enumerate(self.services):
            action = self.place_action(service)
            if not any(action in self._actions(screen.name) for screen in self.screens):
                found.append((("services", index), f"no screen places a {service} call (tap: {action})"))
        refuse(found)
        return self

    @model_validator(mode="after")
    def _actions_mean_something(self) -> Self:
        found: list[Mistake] = []
        for index, screen in enumerate(self.screens):
            for i, node in enumerate(screen.nodes):
                place: Place = ("screens", index, "nodes", i)
                found += [((*place, *where), text) for where, text in self._without_meaning(screen.name, node)]
        hiding = any(node.hides for node in self.screen(self.connected).nodes)
        if hiding and ("show_controls" not in self._actions(self.connected) or self.timers.controls_hide_s is None):
            text = "nodes that hide need a node with tap: show_controls, and timers.controls_hide_s"
            found.append((("connected",), text))
        refuse(found)
        return self

    def _without_meaning(self, screen: str, node: VirtualNode) -> list[Mistake]:
        found: list[Mistake] = []
        for key, action in (("tap", node.tap), ("swipe_up", node.swipe_up)):
            if action in _IN_A_CALL and screen not in (self.outgoing, self.incoming, self.connected):
                found.append(((key,), f"{action} has no meaning outside a call"))
        if screen == self.connected:
            return found
        if node.hides:
            found.append((("hides",), "only nodes of the connected screen hide"))
        return found + _unknown({_PEER}, text=node.text, description=node.description)
