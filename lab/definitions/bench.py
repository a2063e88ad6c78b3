"""A bench: two phones, a laptop, and what the operator says about them."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lab.definitions.base import NAME_CHARACTERS, Model, Name, Place, Port, refuse, repeated
from lab.definitions.budgets import Budgets, Retention, Sim
from lab.definitions.caps import Caps
from lab.definitions.machines import RIG_CAPTURES, Callee, LaptopSpec, LocalFile, PhoneSpec
from lab.definitions.notify import Notify


class StunServer(Model):
    """A STUN server that tells a phone its public address."""

    address: IPv4Address | IPv6Address
    port: Port = 3478


class Resolver(Model):
    """Where names of servers are asked for after the run."""

    address: IPv4Address | IPv6Address
    port: Port = 53


class BenchSpec(Model):
    """A bench file, with its local file merged over it."""

    name: Name
    kind: Literal["virtual", "rig", "real"]
    local: LocalFile | None = None
    phones: Annotated[list[PhoneSpec], Field(min_length=2, max_length=2)]
    laptop: LaptopSpec
    idle_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
    noise_max: Annotated[int, Field(ge=0)]
    snaplen_bytes: Annotated[int, Field(ge=64, le=262_144)]
    allowed_callees: list[Callee] = Field(default_factory=list)
    stun_servers: list[StunServer] = Field(default_factory=list)
    resolver: Resolver | None = None
    caps: Caps | None = None
    budgets: Budgets | None = None
    retention: Retention | None = None
    notify: list[Notify] = Field(default_factory=list)
    contact: str = ""
    approval: str = ""
    licence: str = ""

    @model_validator(mode="after")
    def _two_phones(self) -> Self:
        found: list[tuple[Place, str]] = [
            (("phones", index, "name"), f"a second phone named '{name}'")
            for index, name in repeated(phone.name for phone in self.phones)
        ]
        serials = [phone.serial for phone in self.phones if phone.serial is not None]
        found += [(("phones", index, "serial"), "a second phone with this serial") for index, _ in repeated(serials)]
        channels = repeated(channel.name for channel in self.notify)
        found += [(("notify", index, "name"), f"a second channel named '{name}'") for index, name in channels]
        found += [*self._same_accounts(), *self._long_directions()]
        strangers = [] if self.budgets is None else self.budgets.strangers([phone.name for phone in self.phones])
        found += [(("budgets", *place), text) for place, text in strangers]
        if self.emulated:
            found += self._callees_not_allowed()
            if self.laptop.agent is not None:
                found.append((("laptop", "agent"), f"the laptop of a {self.kind} bench needs no agent"))
        if self.kind == "rig":
            found += self._not_for_a_rig()
        refuse(found)
        return self

    @property
    def emulated(self) -> bool:
        """Whether its handsets are emulated: virtual, or a rig."""
        return self.kind != "real"

    @property
    def caps_in_force(self) -> Caps | None:
        """The caps on its calls where its file has none: a rig has none, and on a virtual bench, where waiting costs
        nothing, a run waits for them all."""
        default = {"real": Caps(), "virtual": Caps(wait_hours=24.0), "rig": None}[self.kind]
        return self.caps or default

    @property
    def sims(self) -> list[Sim]:
        """What is known of its phones' SIMs."""
        return [] if self.budgets is None else self.budgets.sims

    def _not_for_a_rig(self) -> list[tuple[Place, str]]:
        """A rig has one phone on the carrier's link, one on the hotspot, and this machine as its laptop."""
        found: list[tuple[Place, str]] = []
        links = [phone.emulation.access.link for phone in self.phones if phone.emulation is not None]
        if len(links) == 2 and links[0] == links[1]:
            text = (
                f"both phones have link {links[0]}; a rig has one of link raw (carrier) and one of ethernet (hotspot)"
            )
            found.append((("phones", 1, "emulation", "access", "link"), text))
        for index, phone in enumerate(self.phones):
            found += [(("phones", index, *place), text) for place, text in self._phone_not_for_a_rig(phone)]
        if self.laptop.emulation is not None:
            found.append((("laptop", "emulation"), "a rig's laptop is this machine: leave 'emulation' out"))
        return found

    def _phone_not_for_a_rig(self, phone: PhoneSpec) -> Iterator[tuple[Place, str]]:
        if phone.emulation is None:
            return
        access = phone.emulation.access
        capture = RIG_CAPTURES[access.link]
        if phone.capture != capture:
            yield ("capture",), f"a rig captures its phone of link {access.link} by {capture}, not {phone.capture}"
        if access.clat:
            yield ("emulation", "access", "clat"), "a rig translates no addresses of IPv4 and IPv6: no clat"
        if access.link == "ethernet" and not any(self.laptop.hotspot_address in one for one in access.ipv4):
            text = f"the laptop's hotspot_address {self.laptop.hotspot_address} is in none of these networks"
            yield ("emulation", "access", "ipv4"), text

    def _same_accounts(self) -> list[tuple[Place, str]]:
        first, second = self.phones
        found: list[tuple[Place, str]] = []
        for index, contact in enumerate(second.contacts):
            address = first.address_in(contact.app)
            if contact.address == address:
                text = f"both phones have this address in app '{contact.app}'"
                found.append((("phones", 1, "contacts", index, "address"), text))
            elif address is not None and second.title_in(contact.app) == first.title_in(contact.app):
                text = f"the chats of both phones are called so in app '{contact.app}'"
                found.append((("phones", 1, "contacts", index, "title"), text))
        return found

    def _long_directions(self) -> list[tuple[Place, str]]:
        """A direction is a name made of both labels; one that is none is a mistake of the longer label."""
        longest = max(self.directions(), key=len)
        if len(longest) <= NAME_CHARACTERS:
            return []
        index = max(range(len(self.phones)), key=lambda one: len(self.phones[one].network))
        what = f"direction '{longest}' has {len(longest)} characters, a name at most {NAME_CHARACTERS}"
        return [(("phones", index, "network"), f"{what}; shorten this label")]

    def _callees_not_allowed(self) -> list[tuple[Place, str]]:
        return [
            (("phones", i, "contacts", j, "address"), "this address is not in allowed_callees")
            for i, phone in enumerate(self.phones)
            for j, contact in enumerate(phone.contacts)
            if contact.address not in self.allowed_callees
        ]

    def phone(self, name: str) -> PhoneSpec:
        """The phone of that name. Raises StopIteration for no such phone."""
        return next(phone for phone in self.phones if phone.name == name)

    def capture_kind(self, phone: PhoneSpec) -> str:
        """What captures a phone: its `capture`, or `agent_dumpcap` for a dumpcap that the laptop's agent runs."""
        by_agent = phone.capture == "dumpcap" and self.laptop.agent is not None
        return "agent_dumpcap" if by_agent else phone.capture

    def other(self, phone: PhoneSpec) -> PhoneSpec:
        """The phone that is not `phone`."""
        return self.phones[1] if phone.name == self.phones[0].name else self.phones[0]

    def direction(self, caller: PhoneSpec) -> str:
        """CALLER_to_CALLEE by network label; by side where both have the same: `fixed_a_to_b`."""
        callee = self.other(caller)
        if caller.network != callee.network:
            return f"{caller.network}_to_{callee.network}"
        sides = "a_to_b" if caller.name == self.phones[0].name else "b_to_a"
        return f"{caller.network}_{sides}"

    def directions(self) -> list[str]:
        """Both directions, the first phone's first."""
        return [self.direction(phone) for phone in self.phones]

    def caller_of(self, direction: str) -> PhoneSpec:
        """The calling phone of a direction.

        Raises:
            KeyError: no such direction on this bench.
        """
        return {self.direction(phone): phone for phone in self.phones}[direction]
