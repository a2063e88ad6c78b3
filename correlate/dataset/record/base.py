"""What the documents of a dataset are made of: a strict base model, and the types of their values."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

SCHEMA: Literal[2] = 2
"""The number of the schema that is written; `correlate.dataset.documents` reads 1 as well."""

T = TypeVar("T")
Role = Literal["caller", "callee"]
Service = Literal["voice", "video"]

NAME = r"[a-z0-9][a-z0-9_]{0,63}"
Name = Annotated[str, StringConstraints(pattern=rf"^{NAME}$")]
"""A name of the lab: lower-case letters, digits and `_`, at most 64 of them. It goes into ids and file names."""

ID_CHARACTERS = 200
TrialId = Annotated[str, StringConstraints(pattern=rf"^{NAME}(-{NAME})*$", max_length=ID_CHARACTERS)]
"""Names joined by `-`: APP-SERVICE-DIRECTION-SCENARIO-REPETITION."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
Count = Annotated[int, Field(ge=0, lt=1 << 63)]
"""How many, how many bytes, or an instant or a span in nanoseconds."""
Signed = Annotated[int, Field(gt=-(1 << 63), lt=1 << 63)]
"""A difference, in nanoseconds."""

STEP_NS = 256
"""An instant of this century that is a multiple of it is a double exactly, and so whole in every tool."""

BySide = Annotated[dict[Role, T], Field(min_length=2)]
"""One value for each side of a call."""


def _address(value: object) -> IPv4Address | IPv6Address:
    try:
        return value if isinstance(value, IPv4Address | IPv6Address) else ip_address(_text(value))
    except ValueError:
        raise PydanticCustomError("ip_any_address", "must be an IP address") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


Address = Annotated[
    IPv4Address | IPv6Address,
    PlainValidator(_address),
    PlainSerializer(str),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}]}),
]


def stepped(at_ns: int) -> int:
    """An instant to STEP_NS below."""
    return at_ns // STEP_NS * STEP_NS


def nullable(model: type[BaseModel]) -> list[str]:
    """The fields that are null where nothing is known."""
    return [name for name, info in model.model_fields.items() if type(None) in get_args(info.annotation)]


class Document(BaseModel):
    """A document of a dataset, or a part of one: frozen, finite, and without a key that it does not know.

    The text below a field is its description, in JSON Schemas and in docs/dataset.md. Unknown is null, never left out.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True, use_attribute_docstrings=True
    )
