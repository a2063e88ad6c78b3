"""The machines of a bench: its phones and its laptop."""

from ipaddress import IPv4Address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lab.definitions.addressed import NotShort
from lab.definitions.base import PRIVATE, ApiKey, Model, Name, Place, Private, Text, refuse, repeated
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
HotspotStart = Annotated[list[Plain], Field(min_length=1, max_length=50)]


def _names_a_port(argv: list[str]) -> list[str]:
    """A uhubctl that names no hub and no port switches all of them."""
    if any(word.rpartition("/")[2] == "uhubctl" for word in argv):
        for short, long in (("-l", "--location"), ("-p", "--ports")):
            if not any(word.startswith((short, long)) for word in argv):
                where = "name the phone's hub and port, as -l 1-1 -p 2"
                raise ValueError(f"uhubctl without {short} switches what is not the phone's; {where}")
    return argv


Reboot = Literal["allowed"]
PowerCycle = Annotated[list[Argument], Field(min_length=1, max_length=50), AfterValidator(_names_a_port)]


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
    VPN on the phone. `pcapdroid_key` has PCAPdroid obey without asking. `power_cycle` is a program of this machine that
    switches the phone's USB port off and on; with `reboot: allowed` it may be restarted where nothing else helps.
    """

    name: Name
    model: Text
    os: Text
    serial: Serial | None = None
    network: Name
    capture: Literal["tcpdump", "dumpcap", "pcapdroid"]
    pcapdroid_key: ApiKey | None = Field(default=None, repr=False)
    rooted: bool
    power_cycle: PowerCycle | None = None
    reboot: Reboot | None = None
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
    captures, else bash and dumpcap do. `hotspot_address` finds the interface to capture on; `hotspot_start`, behind
    `connect`, is a program there that starts a hotspot which has gone off. `directory` is where captures lie until they
    are fetched. Where `os` says Windows, a capture's times are read by the capture's own clock: Npcap's stamps are not
    of the system clock.
    """

    model: Text
    os: Text
    connect: Connect = Field(default_factory=list)
    agent: Annotated[list[Plain], Field(min_length=2, max_length=2)] | None = None
    directory: Directory
    hotspot_address: IPv4Address
    hotspot_start: HotspotStart | None = None
    tools: list[Text] = Field(default_factory=list)
    emulation: LaptopEmulation | None = None
