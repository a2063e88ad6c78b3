"""Whom a night tells, and how: one channel a list item, in the bench's local file."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from lab.definitions.base import PRIVATE, Model, Name, Place, Port, Private, refuse

URL = r"^https?://[\x21-\x7e]{1,2000}$"
Url = Annotated[str, StringConstraints(pattern=URL), PRIVATE]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$"), PRIVATE]
MailAddress = Annotated[str, StringConstraints(pattern=r"^[!#-;=?A-Z^-~]{1,64}@[A-Za-z0-9.-]{1,253}$"), PRIVATE]
Account = Annotated[str, StringConstraints(min_length=1, max_length=300), PRIVATE]
Word = Annotated[str, StringConstraints(min_length=1, max_length=2000)]

NEEDS = {"mail": ("server", "sender", "to"), "webhook": ("url",), "command": ("command",), "ping": ("url",)}
TAKES = {
    "mail": ("server", "port", "security", "user", "password", "sender", "to"),
    "webhook": ("url",),
    "command": ("command",),
    "ping": ("url", "begin_url"),
}
"""By kind the fields that it must have, and those that it may."""


class Notify(Model):
    """One channel. A `ping` goes out at the begin and at the end of a night, to a service that misses it."""

    name: Name
    kind: Literal["mail", "webhook", "command", "ping"]
    url: Url | None = Field(default=None, repr=False)
    begin_url: Url | None = Field(default=None, repr=False)
    server: Host | None = None
    port: Port | None = None
    security: Literal["starttls", "tls", "none"] | None = None
    user: Account | None = None
    password: Account | None = Field(default=None, repr=False)
    sender: MailAddress | None = None
    to: Annotated[list[MailAddress], Field(max_length=20)] = Field(default_factory=list)
    command: Annotated[list[Word], Field(max_length=50), Private(argv=True)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        found: list[tuple[Place, str]] = []
        for name in type(self).model_fields:
            if name in ("name", "kind"):
                continue
            given = bool(getattr(self, name))
            if name in NEEDS[self.kind] and not given:
                found.append(((), f"missing key '{name}': a {self.kind} needs it"))
            elif name not in TAKES[self.kind] and given:
                found.append(((name,), f"a {self.kind} has no '{name}'"))
        if (self.user is None) is not (self.password is None):
            found.append(((), "'user' and 'password' go together"))
        if self.password is not None and self.security == "none":
            found.append((("security",), "a password is not sent without TLS; write starttls or tls"))
        refuse(found)
        return self
