"""What of the YAML decides the data of a dataset, what may change while it is made, and what is local.

A night's repairs change how a phone is driven: selectors, ways, signs, versions. What is measured stays: who calls
whom, when, how often, over which networks, captured how, read by which rules. The one table is `FIELDS`; a field that
it does not name decides, so that nobody changes the data by a field that is new.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from correlate.dataset.record import Analysis, RoleRule, UserIds
from lab.definitions import bench, faults, machines, rig, scenario, virtual_app, virtual_network
from lab.definitions.app import App
from lab.definitions.lab import FOLDERS
from lab.definitions.matrix import Matrix
from lab.definitions.yaml import read

Value = str | int | float
Meaning = Mapping[str, Mapping[str, Value]]
"""File below `scenarios/` -> dotted key -> value; list items count from 0, and what is null or empty has no key."""


class Fields(NamedTuple):
    """The fields of a model, by words: those that decide the data, those that may change, those that are local."""

    decide: str
    may_change: str = ""
    local: str = ""


FIELDS: dict[type[BaseModel], Fields] = {
    # matrices/ and calls/: what is done, and when.
    Matrix: Fields("name apps services scenarios repetitions"),
    scenario.Scenario: Fields("name answered ring_s talk_s steps"),
    scenario.Uniform: Fields("low_s high_s"),
    scenario.Step: Fields("do by within_s"),
    # apps/: which app it is, and how its traffic is read. How it is driven is what breaks overnight.
    App: Fields(
        "name package analysis",
        "version open_chat chat_open place_call answer reject cancel hang_up reveal_controls signs dismiss refusals",
    ),
    Analysis: Fields("relay_ports twins user_ids role unanswered_service video_bytes_per_s"),
    UserIds: Fields("lengths"),
    RoleRule: Fields("port sessions caller_at_least"),
    # benches/: the machines, their networks, and how they capture. Servers that say which address a phone has, and
    # versions, are mended; accounts and keys are whoever's the lab is.
    bench.BenchSpec: Fields(
        "name kind phones laptop idle_s noise_max snaplen_bytes",
        "stun_servers resolver caps contact approval licence",
        "local allowed_callees budgets retention notify",
    ),
    machines.PhoneSpec: Fields(
        "name model network capture rooted stimulus emulation",
        "os tools",
        "serial pcapdroid_key contacts power_cycle reboot",
    ),
    machines.Stimulus: Fields("sound scene"),
    machines.LaptopSpec: Fields("model hotspot_address emulation", "os tools agent directory", "connect hotspot_start"),
    # Emulated machines and networks: everything in them is on a wire or in a clock.
    virtual_network.PhoneEmulation: Fields(
        "access clock adb sdk locale screen_width screen_height battery_percent operator tcpdump pcapdroid sims "
        "utc_offset_minutes disorders"
    ),
    virtual_network.AccessNetwork: Fields(
        "interface link mtu ipv4 ipv4_prefix nat nat_pool ipv6 nat64_pool clat addresses delay_low_us delay_high_us "
        "jitter_us loss_low_ppm loss_high_ppm"
    ),
    virtual_network.ClockEmulation: Fields("offset_ns drift_ppb"),
    virtual_network.Latency: Fields("up_low_ns up_high_ns down_low_ns down_high_ns"),
    virtual_network.PcapdroidEmulation: Fields("version", local="key"),
    virtual_network.LaptopEmulation: Fields("clock channel dumpcap_version kernel interfaces"),
    virtual_network.LaptopInterface: Fields("name description addresses"),
    # virtual/: what an emulated app does. What it shows changes with an update, as a real app's screens do.
    virtual_app.VirtualApp: Fields(
        "name package services telecom timers network rig",
        "version version_code label elapsed incoming_as launch chat outgoing incoming connected ended unanswered "
        "rating logged_out refusals intents notifications screens",
    ),
    virtual_app.Timers: Fields(
        "open_s ring_delay_s slow_ring signal_s answer_delay_s hangup_delay_s ring_timeout_s connect_s ended_s "
        "controls_hide_s heads_up_s"
    ),
    virtual_app.SlowRing: Fields("callee_network percent more_s"),
    virtual_network.AppNetwork: Fields(
        "relays media_framing mobile_ipv6 secondary identical_unanswered user_ids exposure keep_alive caller_starts "
        "callee_starts credentials warp peer_address turn_over_tcp relayed indications_s consent moves_to_direct direct"
    ),
    virtual_network.Relay: Fields("name ipv6_name ipv4 ipv6 port framing purpose candidates opens"),
    virtual_network.Secondary: Fields("caller callee"),
    virtual_network.Packets: Fields("low high"),
    virtual_network.Seconds: Fields("low_s high_s"),
    virtual_network.NetworkUserIds: Fields("length when"),
    virtual_network.Exposure: Fields("unanswered conversation"),
    virtual_network.KeepAlive: Fields("every_s form payload_bytes ringing"),
    virtual_network.Ringing: Fields("caller_every_s callee_every_s"),
    virtual_network.Credentials: Fields("username_bytes realm nonce_bytes"),
    virtual_network.WarpLengths: Fields("token_bytes padding_bytes"),
    virtual_network.DirectCount: Fields("caller_network scenario direct of"),
    rig.RigCalls: Fields("relays ice relayed answers signals ufrag_characters video_kbps unplayed"),
    rig.RigRelay: Fields("network address port transport"),
    rig.Unplayed: Fields("field reason"),
    # faults/: a rehearsal is of one run, not of a dataset.
    faults.Faults: Fields("", "name faults"),
}
"""Every model that a deciding field reaches from a YAML file, and of each every field."""

_NOTHING = Fields("")


class Difference(NamedTuple):
    """A key whose value is another one; None where it has no value."""

    file: str
    key: str
    before: Value | None
    now: Value | None


def deciding(definition: BaseModel) -> dict[str, Value]:
    """What of a definition decides the data, by dotted key."""
    return dict(_leaves((), definition, everything=False))


def not_local(definition: BaseModel) -> dict[str, Value]:
    """All that a definition says but what is local, by dotted key."""
    return dict(_leaves((), definition, everything=True))


def _leaves(place: tuple[str, ...], value: object, *, everything: bool) -> Iterator[tuple[str, Value]]:
    if isinstance(value, BaseModel):
        fields = FIELDS.get(type(value), _NOTHING)
        left_out = {*fields.local.split(), *(() if everything else fields.may_change.split())}
        for field in type(value).model_fields:
            if field not in left_out:
                yield from _leaves((*place, field), getattr(value, field), everything=everything)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _leaves((*place, str(index)), item, everything=everything)
    elif value is not None:
        yield ".".join(place), _plain(value)


def _plain(value: object) -> Value:
    """A whole number is one, whether the model calls it a number of seconds or of packets."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, Value) else str(value)


def differences(before: Meaning, now: Meaning) -> list[Difference]:
    """What is another value in one than in the other, file by file, each in the order of its keys."""
    return [
        Difference(file, key, before.get(file, {}).get(key), now.get(file, {}).get(key))
        for file in dict.fromkeys([*before, *now])
        for key in dict.fromkeys([*before.get(file, {}), *now.get(file, {})])
        if before.get(file, {}).get(key) != now.get(file, {}).get(key)
    ]


def sha256(meaning: Meaning) -> str:
    """SHA-256 over a meaning, whatever order its keys have."""
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()


def read_definitions(directory: Path, names: list[str]) -> dict[str, BaseModel]:
    """The definitions in these files below a directory, each by itself and without what is local.

    Raises:
        YamlMistakes: (a BadInput) with the mistakes of the first file that has some.
    """
    return {name: read(directory / name, FOLDERS[name.partition("/")[0]]) for name in names}
