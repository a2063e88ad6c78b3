"""A bench's local file: what is of one real lab, and never committed."""

from pydantic import Field

from lab.definitions.base import ApiKey, Model, Name
from lab.definitions.bench import BenchSpec, Resolver, StunServer
from lab.definitions.budgets import Budgets, Retention
from lab.definitions.machines import (
    Callee,
    Connect,
    Contact,
    HotspotStart,
    LaptopSpec,
    PhoneSpec,
    PowerCycle,
    Reboot,
    Serial,
)
from lab.definitions.notify import Notify


class LocalPhone(Model):
    """What a local file says of one phone."""

    name: Name
    serial: Serial | None = None
    pcapdroid_key: ApiKey | None = Field(default=None, repr=False)
    contacts: list[Contact] = Field(default_factory=list)
    power_cycle: PowerCycle | None = None
    reboot: Reboot | None = None


class LocalLaptop(Model):
    """How a bench's laptop is reached, and its hotspot started: instead of what the bench file says."""

    connect: Connect = Field(default_factory=list)
    hotspot_start: HotspotStart | None = None


class LocalBench(Model):
    """A `*.local.yaml` beside a bench file: numbers, contacts, hosts and keys of a real lab, never committed."""

    phones: list[LocalPhone] = Field(default_factory=list)
    laptop: LocalLaptop | None = None
    allowed_callees: list[Callee] = Field(default_factory=list)
    stun_servers: list[StunServer] = Field(default_factory=list)
    resolver: Resolver | None = None
    budgets: Budgets | None = None
    retention: Retention | None = None
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
    names = ("budgets", "retention", "notify", "contact", "approval", "licence")
    values |= {name: getattr(local, name) or getattr(bench, name) for name in names}
    return BenchSpec.model_validate(values)


def _merged_laptop(laptop: LaptopSpec, local: LocalLaptop) -> LaptopSpec:
    values = {field: getattr(laptop, field) for field in LaptopSpec.model_fields}
    start = local.hotspot_start or laptop.hotspot_start
    return LaptopSpec.model_validate(values | {"connect": local.connect or laptop.connect, "hotspot_start": start})


def _merged_phone(phone: PhoneSpec, local: LocalPhone | None) -> PhoneSpec:
    if local is None:
        return phone
    given = {contact.app for contact in local.contacts}
    contacts = [*(c for c in phone.contacts if c.app not in given), *local.contacts]
    values = {field: getattr(phone, field) for field in PhoneSpec.model_fields}
    names = ("serial", "pcapdroid_key", "power_cycle", "reboot")
    values |= {name: getattr(local, name) or getattr(phone, name) for name in names}
    return PhoneSpec.model_validate(values | {"contacts": contacts})
