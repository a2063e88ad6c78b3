"""A bench: two phones, a laptop, and what the operator says about them."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lab.definitions.addressed import NotShort
from lab.definitions.base import (
    NAME_CHARACTERS,
    PRIVATE,
    ApiKey,
    Model,
    Name,
    Place,
    Port,
    Private,
    Text,
    refuse,
    repeated,
)
from lab.definitions.caps import Caps
from lab.definitions.notify import Notify
from lab.definitions.virtual_network import LaptopEmulation, PhoneEmulation

Callee = Annotated[Text, NotShort, PRIVATE]
# The second of two phones that are alike in mDNS has ` (2)` in its name.
Serial = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,100}( \(\d{1,3}\)\._adb-tls-connect\._tcp\.?)?$"), PRIVATE]
Address = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,127}$"), NotShort, PRIVATE]
LocalFile = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,63}\.local\.yaml$")]
Directory = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./: \\-]{1,300}$")]
Argument = Annotated[str, Field(min_length=1, max_length=500)]
Connect = Annotated[list[Argument], Private(argv=True)]
# ssh joins them to one line for a shell that may be any: no word may need quotes.
Plain = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./:-]{1,300}$")]


class Stimulus(Model):
    """What a phone hears and sees during a call; it is what volumes depend on."""

    sound: Literal["speech", "silence"]
    scene: Literal["bright", "dark"]


def _title(text: str) -> str:
    if not text.isprintable() or text != text.strip() or not 1 <= len(text) <= 200:
        raise ValueError("must be one line of at most 200 characters without blanks around it")
    return text


Title = Annotated[str, AfterValidator(_title), PRIVATE]


class Contact(Model):
    """How one app addresses this phone's account: a number, a user id. `title` is what its chat is called on the other
    phone; the address where it is left out.
    """

    app: Name
    address: Address
    title: Title | None = None


VANTAGES = {"tcpdump": "interface", "dumpcap": "hotspot", "pcapdroid": "vpn"}
"""Where each kind of capture sees a phone's traffic, as the dataset labels it."""

RIG_CAPTURES = {"raw": "tcpdump", "ethernet": "dumpcap"}
"""What captures a phone of a rig, by its link: the carrier's on the phone itself, the hotspot's on the laptop."""


class PhoneSpec(Model):
    """One phone. `capture: tcpdump` records on the phone itself, `dumpcap` on the laptop's hotspot, `pcapdroid` in a
    VPN on the phone. `pcapdroid_key` has PCAPdroid obey without asking.
    """

    name: Name
    model: Text
    os: Text
    serial: Serial | None = None
    network: Name
    capture: Literal["tcpdump", "dumpcap", "pcapdroid"]
    pcapdroid_key: ApiKey | None = Field(default=None, repr=False)
    rooted: bool
    stimulus: Stimulus
    contacts: list[Contact] = Field(default_factory=list)
    tools: list[Text] = Field(default_factory=list)
    emulation: PhoneEmulation | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        found: list[tuple[Place, str]] = []
        if self.capture == "tcpdump" and not self.rooted:
            text = "capture tcpdump needs a rooted phone; use dumpcap on the hotspot, or pcapdroid"
            found.append((("capture",), text))
        for index, app in repeated(contact.app for contact in self.contacts):
            found.append((("contacts", index, "app"), f"a second contact for app '{app}'"))
        refuse(found)
        return self

    @property
    def vantage(self) -> str:
        """Where its traffic is seen: `interface`, `hotspot` or `vpn`."""
        return VANTAGES[self.capture]

    def address_in(self, app: str) -> str | None:
        """This phone's address in an app; None where the bench file gives none."""
        return next((contact.address for contact in self.contacts if contact.app == app), None)

    def title_in(self, app: str) -> str:
        """What its chat in an app is called on the other phone. Raises StopIteration where it has no contact."""
        return next(contact.title or contact.address for contact in self.contacts if contact.app == app)


class LaptopSpec(Model):
    """The laptop whose hotspot the unrooted phone uses.

    `connect` is an argv prefix ([] is the machine the harness runs on). With `agent` the agent that is installed there
    captures, else bash and dumpcap do. `hotspot_address` finds the interface to capture on. `directory` is where
    captures lie until they are fetched. Where `os` says Windows, a capture's times are read by the capture's own clock:
    Npcap's stamps are not of the system clock.
    """

    model: Text
    os: Text
    connect: Connect = Field(default_factory=list)
    agent: Annotated[list[Plain], Field(min_length=2, max_length=2)] | None = None
    directory: Directory
    hotspot_address: IPv4Address
    tools: list[Text] = Field(default_factory=list)
    emulation: LaptopEmulation | None = None


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
        """The caps on its calls: real phones have some whatever the file says, others those that it asks for."""
        return self.caps or (None if self.emulated else Caps())

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


class LocalPhone(Model):
    """What a local file says of one phone."""

    name: Name
    serial: Serial | None = None
    pcapdroid_key: ApiKey | None = Field(default=None, repr=False)
    contacts: list[Contact] = Field(default_factory=list)


class LocalLaptop(Model):
    """How a bench's laptop is reached: instead of what the bench file says."""

    connect: Connect = Field(default_factory=list)


class LocalBench(Model):
    """A `*.local.yaml` beside a bench file: numbers, contacts, hosts and keys of a real lab, never committed."""

    phones: list[LocalPhone] = Field(default_factory=list)
    laptop: LocalLaptop | None = None
    allowed_callees: list[Callee] = Field(default_factory=list)
    stun_servers: list[StunServer] = Field(default_factory=list)
    resolver: Resolver | None = None
    notify: list[Notify] = Field(default_factory=list)
    contact: str = ""
    approval: str = ""
    licence: str = ""


def merged(bench: BenchSpec, local: LocalBench) -> BenchSpec:
    """`bench` with what `local` gives put over it, phone by phone name and contact by app.

    Raises:
        pydantic.ValidationError: the merged bench does not fit together.
    """
    by_name = {phone.name: phone for phone in local.phones}
    phones = [_merged_phone(phone, by_name.get(phone.name)) for phone in bench.phones]
    values = {field: getattr(bench, field) for field in BenchSpec.model_fields}
    callees = [*bench.allowed_callees, *(c for c in local.allowed_callees if c not in bench.allowed_callees)]
    laptop = bench.laptop if local.laptop is None else _merged_laptop(bench.laptop, local.laptop)
    values |= {"phones": phones, "laptop": laptop, "allowed_callees": callees}
    values |= {"stun_servers": local.stun_servers or bench.stun_servers, "resolver": local.resolver or bench.resolver}
    names = ("notify", "contact", "approval", "licence")
    values |= {name: getattr(local, name) or getattr(bench, name) for name in names}
    return BenchSpec.model_validate(values)


def _merged_laptop(laptop: LaptopSpec, local: LocalLaptop) -> LaptopSpec:
    values = {field: getattr(laptop, field) for field in LaptopSpec.model_fields}
    return LaptopSpec.model_validate(values | {"connect": local.connect or laptop.connect})


def _merged_phone(phone: PhoneSpec, local: LocalPhone | None) -> PhoneSpec:
    if local is None:
        return phone
    given = {contact.app for contact in local.contacts}
    contacts = [*(c for c in phone.contacts if c.app not in given), *local.contacts]
    values = {field: getattr(phone, field) for field in PhoneSpec.model_fields}
    values |= {"serial": local.serial or phone.serial, "pcapdroid_key": local.pcapdroid_key or phone.pcapdroid_key}
    return PhoneSpec.model_validate(values | {"contacts": contacts})
