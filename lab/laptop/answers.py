"""What the laptop's agent may answer: one model an operation, and the one decoder of its lines."""

import json
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Annotated, Any, Final, Literal, Never

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lab.laptop.agent.session import CHUNK_BYTES
from lab.laptop.agent.stamps import MOST

LINE_BYTES: Final = 4 << 20
"""No answer is longer: the longest are a chunk of a file and all that a program said."""

Instant = Annotated[int, Field(ge=0, lt=1 << 63)]
Size = Annotated[int, Field(ge=0, le=1 << 40)]
Code = Annotated[int, Field(ge=-(1 << 31), lt=1 << 32)]
Words = Annotated[str, Field(max_length=LINE_BYTES)]
Short = Annotated[str, Field(max_length=300)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Answer(BaseModel):
    """One answer. Nothing is converted: a number in quotes is no number."""

    model_config = ConfigDict(strict=True, frozen=True)


class Hello(Answer):
    """Who answers: the hash of the agent's own file, what it captures with, where to, and what it runs on."""

    sha256: Sha256
    tool: Literal["dumpcap", "tcpdump"]
    directory: Short | None = None
    python: Short = ""
    platform: Short = ""


class Version(Answer):
    code: Code
    text: Words


class Prepared(Answer):
    swept: Size
    awake: bool
    hotspot: Short
    idle_timeout: Short | None = None


class Interface(Answer):
    name: Short
    addresses: Annotated[list[Short], Field(max_length=1000)]


class Neighbour(Answer):
    """`on` names the interface in the words of the laptop's own program: on Windows by the address that it holds."""

    address: Annotated[IPv4Address, Field(strict=False)]
    mac: Short
    on: Short | None = None


class Started(Answer):
    live: bool
    said: Words


class Stopped(Answer):
    ran_on: bool
    caught_up: bool
    code: Code
    said: Words


class Fingerprint(Answer):
    size_bytes: Size
    sha256: Sha256


Sent = Annotated[list[Instant], Field(min_length=3, max_length=3)]


class Burst(Answer):
    """What was `sent`: a number, and the instants before and behind the sending of it."""

    sent: Annotated[list[Sent], Field(max_length=MOST)]
    failed: Words


ANSWERS: Mapping[str, TypeAdapter[Any]] = {
    "hello": TypeAdapter(Hello),
    "clock": TypeAdapter(Annotated[Instant, Field(strict=True)]),
    "version": TypeAdapter(Version),
    "interfaces": TypeAdapter(Annotated[list[Interface], Field(max_length=1000)]),
    "neighbours": TypeAdapter(Annotated[list[Neighbour], Field(max_length=10_000)]),
    "prepare": TypeAdapter(Prepared),
    "room": TypeAdapter(Annotated[int, Field(strict=True, ge=0, le=1 << 63)]),
    "setup": TypeAdapter(Annotated[list[Words], Field(max_length=1000)]),
    "start": TypeAdapter(Started),
    "size": TypeAdapter(Annotated[Size, Field(strict=True)]),
    "holds": TypeAdapter(Annotated[bool, Field(strict=True)]),
    "stop": TypeAdapter(Stopped),
    "fingerprint": TypeAdapter(Fingerprint),
    "read": TypeAdapter(Annotated[str, Field(strict=True, max_length=CHUNK_BYTES * 4 // 3 + 4)]),
    "remove": TypeAdapter(None),
    "stamp": TypeAdapter(Burst),
    "coalescing": TypeAdapter(Annotated[list[Short], Field(max_length=1000)] | None),
}
"""What `ok` holds, by operation."""


class Unreadable(ValueError):
    """A line is no answer to what was asked; the text quotes its begin."""


class Refusal(Exception):
    """The agent's own word for why it does not do it."""


def decoded(op: str, line: bytes) -> Any:
    """What a line of the agent's answers to an operation, as that operation's model.

    Raises `Refusal` where the agent refuses and `Unreadable` for whatever else it may be.
    """
    try:
        answer = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"its answer is no JSON: {_quoted(line)}") from error
    if isinstance(answer, dict) and isinstance(answer.get("error"), str):
        raise Refusal(answer["error"])
    if not isinstance(answer, dict) or "ok" not in answer:
        raise Unreadable(f"its answer cannot be read: {_quoted(line)}")
    adapter = ANSWERS.get(op)
    try:
        return answer["ok"] if adapter is None else adapter.validate_python(answer["ok"])
    except (ValidationError, RecursionError) as error:
        raise Unreadable(f"its answer to {op} cannot be read: {_quoted(line)}") from error


def _no_number(word: str) -> Never:
    raise ValueError(f"{word} is no number of JSON")


def _quoted(line: bytes) -> str:
    return repr(line[:80].decode("utf-8", "replace"))
