"""An app as the harness sees it: how to do things in it, and by which signs its state is known."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from correlate.dataset.record import Analysis, refusal
from lab.definitions.addressed import BOTH, CONTACT, TITLE, fill, names_somebody, strangers
from lab.definitions.base import Line, Model, Name, Place, Service, Text, refuse

SERVICES: tuple[Service, Service] = ("voice", "video")
_QUERY_KEYS = {
    "id": "resourceId",
    "text": "text",
    "text_matches": "textMatches",
    "description": "description",
    "description_matches": "descriptionMatches",
    "class_name": "className",
}


class Selector(Model):
    """Something on the screen: all keys given must fit. In `open_chat` and `chat_open`, `{contact}` stands for the
    other phone's address in the app and `{title}` for the title of its chat.

    `seen_on` says on which app version, and by which source, it was seen; `never` says that nobody has seen it.
    """

    id: Text | None = None
    text: Text | None = None
    text_matches: Text | None = None
    description: Text | None = None
    description_matches: Text | None = None
    class_name: Text | None = None
    seen_on: Text

    @field_validator("text_matches", "description_matches")
    @classmethod
    def _a_regex(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.as_query():
            refuse([((), f"a selector needs at least one of {', '.join(_QUERY_KEYS)}")])
        return self

    def as_query(self, contact: str = "", title: str = "") -> dict[str, str]:
        """The keywords of a uiautomator2 selector."""
        given = {key: value for field, key in _QUERY_KEYS.items() if (value := getattr(self, field)) is not None}
        values, in_regex = (contact, title), (re.escape(contact), re.escape(title))
        return {key: fill(value, *(in_regex if key.endswith("Matches") else values)) for key, value in given.items()}

    @property
    def templates(self) -> dict[str, str]:
        """By key what it looks for, as written."""
        return {field: value for field in _QUERY_KEYS if (value := getattr(self, field)) is not None}

    def placeholders(self, key: str) -> Sequence[str]:
        """Those that may stand under one of its keys where a chat is opened."""
        return BOTH

    @property
    def exact(self) -> list[str]:
        """What the text and the description must be, to the letter."""
        return [words for words in (self.text, self.description) if words is not None]

    @property
    def is_whole(self) -> bool:
        """Whether the whole text or description is the address or the title."""
        return any(words in BOTH for words in self.exact)

    @property
    def is_fixed(self) -> bool:
        """Whether a text or description is known in advance, as that of a button."""
        return any(not names_somebody(words) for words in self.exact)

    def finds_all_of(self, other: "Selector") -> bool:
        """Whether this one finds whatever `other` finds, where the title is the address."""
        mine, its = ({(k, v.replace(CONTACT, TITLE)) for k, v in one.templates.items()} for one in (self, other))
        return mine <= its

    def __str__(self) -> str:
        return " ".join(f"{field}={getattr(self, field)}" for field in _QUERY_KEYS if getattr(self, field) is not None)


class Intent(Model):
    """What `am start` is given. In `open_chat`, `data` may hold `{contact}`."""

    action: Line
    data: Line | None = None
    mime_type: Line | None = None
    component: Line | None = None
    package: Line | None = None

    @property
    def templates(self) -> dict[str, str]:
        """By key what it is made of, as written."""
        return {field: value for field in type(self).model_fields if (value := getattr(self, field)) is not None}

    def placeholders(self, key: str) -> Sequence[str]:
        """Those that may stand under one of its keys where a chat is opened."""
        return (CONTACT,) if key == "data" else ()

    def __str__(self) -> str:
        return " ".join([self.action, *([self.data] if self.data else [])])


WAYS = ("tap", "swipe_up", "notification", "intent", "key", "launch")


class Way(Model):
    """One way to do a thing: exactly one of `tap`, `swipe_up`, `notification` (open the shade, tap this), `intent`,
    `key` (a key name of `input keyevent`) and `launch` (start the app as from its icon).

    A selector carries its own `seen_on`; an intent, a key or a launch has it here.
    """

    tap: Selector | None = None
    swipe_up: Selector | None = None
    notification: Selector | None = None
    intent: Intent | None = None
    key: Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,40}$")] | None = None
    launch: bool = False
    seen_on: Text | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [way for way in WAYS if getattr(self, way)]
        if len(given) != 1:
            what = f"has {' and '.join(given)}" if given else "has none"
            refuse([((), f"a way is exactly one of {', '.join(WAYS)}; this one {what}")])
        if self.selector is None and self.seen_on is None:
            refuse([((), f"missing key 'seen_on': where was this {given[0]} seen to work? ('never' is an answer)")])
        return self

    @property
    def kind(self) -> str:
        """Which of the ways it is."""
        return next(way for way in WAYS if getattr(self, way))

    @property
    def selector(self) -> Selector | None:
        """What must be on the screen for this way, where anything must."""
        return self.tap or self.swipe_up or self.notification

    @property
    def leads_to_one(self) -> bool:
        """Whether this way leads to the account that is meant, and to no other."""
        if self.selector is not None:
            return self.selector.is_whole
        return self.intent is not None and CONTACT in (self.intent.data or "")

    def __str__(self) -> str:
        return "launch" if self.kind == "launch" else f"{self.kind} {getattr(self, self.kind)}"


Chain = Annotated[list[Way], Field(min_length=1)]
"""Ways tried in turn, round and round, until the effect is seen."""

Signs = Annotated[list[Selector], Field(min_length=1)]
"""Selectors of which any one that is on the screen is enough."""


class ServiceWays(Model):
    """Ways that differ between voice and video; a service without ways is not measured."""

    voice: list[Way] = Field(default_factory=list)
    video: list[Way] = Field(default_factory=list)

    def of(self, service: Service) -> list[Way]:
        """The ways of one service."""
        return self.voice if service == "voice" else self.video


class CallSigns(Model):
    """By which signs the state of a call is known, looked for in the order incoming, connected, outgoing."""

    outgoing: Signs
    incoming: Signs
    connected: Signs


Refused = Literal["logged_out", "banned", "rate_limited", "update_required", "blocked", "message_request"]
"""Why an app itself will not call: it does not change by trying again."""


class Refusal(Model):
    """A sign by which an app says that it will not call, and what it says."""

    reason: Refused
    shows: Selector


class App(Model):
    """One app: what it is, how to drive a call in it, how to read its state, and how to analyse its traffic."""

    name: Name
    package: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+$", max_length=200)]
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z._-]{1,60}$")]
    open_chat: Chain
    chat_open: Signs
    place_call: ServiceWays
    answer: ServiceWays
    reject: Chain
    cancel: Chain
    hang_up: Chain
    reveal_controls: list[Way] = Field(default_factory=list)
    signs: CallSigns
    dismiss: list[Selector] = Field(default_factory=list)
    refusals: list[Refusal] = Field(default_factory=list)
    analysis: Analysis | None = None

    @property
    def services(self) -> list[Service]:
        """The services that can be placed and answered."""
        return [service for service in SERVICES if self.place_call.of(service) and self.answer.of(service)]

    @model_validator(mode="after")
    def _known_placeholders(self) -> Self:
        refuse(self._strangers())
        return self

    @model_validator(mode="after")
    def _the_right_chat(self) -> Self:
        refuse([*self._any_chat(), *self._unconfirmed()])
        return self

    @model_validator(mode="after")
    def _a_whole_service(self) -> Self:
        refuse(self._half_services())
        return self

    @model_validator(mode="after")
    def _matched_in_linear_time(self) -> Self:
        twins = self.analysis.twins if self.analysis else None
        if twins and (why := refusal(twins)):
            text = f"twins is nothing that RE2 matches: {why}; write it without what has to be tried in many ways"
            refuse([(("analysis", "twins"), text)])
        return self

    def _strangers(self) -> Iterator[tuple[Place, str]]:
        """Placeholders that nothing replaces."""
        for field in type(self).model_fields:
            for place, part in _parts((field,), getattr(self, field)):
                for key, template in part.templates.items():
                    allowed = part.placeholders(key) if field in ("open_chat", "chat_open") else ()
                    for text in strangers(template, allowed, in_regex=key.endswith("_matches")):
                        yield (*place, key), text

    def _any_chat(self) -> list[tuple[Place, str]]:
        """Ways that may open anybody's chat: a row that is not tied to a title, the first hit of a search."""
        found: list[tuple[Place, str]] = []
        for index, way in enumerate(self.open_chat):
            if way.selector is not None and not (way.selector.is_whole or way.selector.is_fixed):
                text = f"{way} may open anybody's chat: its whole text or description must be {TITLE} or {CONTACT}"
                found.append((("open_chat", index, way.kind), f"{text}, or the words of a button"))
        if not found and not any(way.leads_to_one for way in self.open_chat):
            text = f"open_chat leads to nobody: it needs an intent whose data has {CONTACT}, or a tap on what has"
            found.append((("open_chat",), f"{text} {TITLE} as its whole text or description"))
        return found

    def _unconfirmed(self) -> Iterator[tuple[Place, str]]:
        """Signs of an open chat that do not say whose it is, or that are there before it is open."""
        rows = [way.selector for way in self.open_chat if way.selector is not None and way.selector.is_whole]
        for index, sign in enumerate(self.chat_open):
            if not any(names_somebody(words) for words in sign.exact):
                text = f"confirms no chat: its text or description must name {TITLE} or {CONTACT}; each sign is enough"
                yield ("chat_open", index), f"{sign} {text}"
            elif any(sign.finds_all_of(row) for row in rows):
                yield ("chat_open", index), f"{sign} is on the screen before the chat is: open_chat taps the same"

    def _half_services(self) -> list[tuple[Place, str]]:
        found: list[tuple[Place, str]] = []
        for service in SERVICES:
            placed, answered = self.place_call.of(service), self.answer.of(service)
            if bool(placed) != bool(answered):
                has, lacks = ("place_call", "answer") if placed else ("answer", "place_call")
                found.append(((lacks,), f"{lacks} has no way for {service}, but {has} has"))
        if not found and not self.services:
            found.append((("place_call",), "place_call has no way for any service"))
        return found


def _parts(place: Place, value: object) -> Iterator[tuple[Place, Selector | Intent]]:
    """The selectors and intents in a part of an app, each with its place."""
    if isinstance(value, (Selector, Intent)):
        yield place, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _parts((*place, index), item)
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from _parts((*place, field), getattr(value, field))
