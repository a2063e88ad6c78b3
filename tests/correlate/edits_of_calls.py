"""The edits, each with its right answer, stated from the truth of the call that was edited and from what the edit does,
never from what is found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.correlate import wire
from tests.correlate.edited import EXPOSED
from tests.correlate.editing import (
    Edit,
    direct_to_relay,
    everywhere,
    far_port,
    fuller,
    in_indications,
    kept_alive,
    late,
    near_port,
    noted,
    of_another_kind,
    on,
    other_server,
    restarted,
    server_port,
    silent,
    thinner,
    without,
    without_any_response,
    without_nested_stun,
    without_the_last_response,
)
from tests.correlate.editing_captures import (
    another_phone,
    call_beside,
    noise_of_udp,
    over_tcp,
    over_tls,
    relayed_address,
    tls,
)

RELAYED = "messenger-voice-fixed_to_lte-caller_hangs_up-1"
DIRECT = "messenger-voice-lte_to_fixed-caller_hangs_up-1"
CANCELLED = "messenger-voice-lte_to_fixed-caller_cancels-1"
QUICK = (RELAYED, DIRECT, CANCELLED)
AGAIN = "messenger-voice-fixed_to_lte-caller_hangs_up-2"
VIDEO = "messenger-video-fixed_to_lte-caller_hangs_up-1"
WITHOUT_ICE = "whatsapp-voice-fixed_to_lte-caller_hangs_up-1"
UNANSWERED = "whatsapp-voice-lte_to_fixed-caller_cancels-1"
OTHER_APP = "snapchat-voice-lte_to_fixed-caller_hangs_up-1"
LONG = (AGAIN, VIDEO, WITHOUT_ICE, UNANSWERED, OTHER_APP)

CALL = ("established", "routing")
ALL = (*CALL, "service", "user_ids", *EXPOSED, "media", "duration")
ANY = ...
"""Of a cell: nothing is said of it."""


@dataclass(frozen=True)
class Edited:
    """An edit of a trial, as a sentence. `changes` are the cells of which something else is right than of the call as
    it was (ANY: not judged); those of `sure` may not be null. `flag` is what the trial is to be marked as: `mixed_up`,
    `contradiction`, or nothing. A real call is named with the app of its list."""

    says: str
    source: str
    edit: Edit
    sure: tuple[str, ...] = ALL
    changes: Mapping[str, Any] = field(default_factory=dict)
    flag: str = ""
    app: str = ""
    quick: bool = False


def real(says: str, source: str, edit: Edit, sure: tuple[str, ...] = ALL, **more: Any) -> Edited:
    return Edited(says, source, edit, sure, **{"app": "rigtalk", **more})


NO_IDS = tuple(each for each in ALL if each != "user_ids")
OTHER_MEDIA = {"media": ANY, "duration": ANY}
NOT_A_CALL = {"established": False, "routing": None, "service": None, **OTHER_MEDIA}
RESPONSES = (
    Edited("the Allocate success is missing in the caller's capture", RELAYED, on("caller", without(wire.ALLOCATED))),
    Edited("the Allocate success is missing on both sides", RELAYED, on("both", without(wire.ALLOCATED)), quick=True),
    Edited("the ChannelBind success is missing on both sides", RELAYED, on("both", without(0x0109))),
    Edited("every Binding success is missing in the callee's capture", DIRECT, on("callee", without(wire.BOUND))),
    Edited("the last response is missing on both sides", DIRECT, on("both", without_the_last_response)),
    Edited("one side captured no response at all", RELAYED, on("caller", without_any_response)),
    real("a real Binding success is missing", "p2p_video_a", on("caller", without(wire.BOUND)), quick=True),
    real(
        "a real relayed side shows no Allocate success",
        "p2p_voice_b",
        on("callee", without(wire.ALLOCATED)),
        changes={"duration": ANY},
    ),
    real("a real relayed call shows no response on one side", "relay_voice_a", on("caller", without_any_response)),
    Edited(
        "nested STUN is missing in the caller's capture",
        RELAYED,
        on("caller", without_nested_stun),
        (*CALL, "service"),
        changes=dict.fromkeys(("user_ids", *EXPOSED), ANY),
    ),
    Edited(
        "nested STUN is missing on both sides, and with it every USERNAME that went through the relay",
        RELAYED,
        on("both", without_nested_stun),
        (*CALL, "service"),
        changes=dict.fromkeys(("user_ids", *EXPOSED), ANY),
    ),
)

ENCRYPTED = dict.fromkeys(("callee_public", "callee_private", "user_ids", "media", "duration"), ANY)
"""What the caller's capture alone told of the callee, and nobody can tell when it is encrypted."""

PATHS = (
    Edited(
        "the caller's NAT gives another port in the middle", DIRECT, on("callee", far_port(0.5, 61_111)), quick=True
    ),
    Edited(
        "both NATs give other ports, one after the other",
        DIRECT,
        everywhere(on("callee", far_port(0.4, 61_111)), on("caller", far_port(0.6, 62_222))),
    ),
    Edited(
        "the caller opens another socket in the middle",
        DIRECT,
        everywhere(on("caller", near_port(0.5, 41_111)), on("callee", far_port(0.5, 61_111))),
    ),
    Edited(
        "a carrier's NAT gives another address, which no response tells",
        DIRECT,
        on("callee", far_port(0.6, 61_111, "198.51.100.201")),
        CALL,
        OTHER_MEDIA,
    ),
    Edited("a relayed side opens another socket", RELAYED, on("caller", near_port(0.5, 41_111))),
    real(
        "a real direct call is rebound on both sides",
        "lowvideo_p2p",
        everywhere(on("caller", far_port(0.5, 41_111)), on("callee", far_port(0.5, 51_111))),
        (*CALL, "user_ids", *EXPOSED),
    ),
    Edited(
        "the caller's relay changes in the middle", RELAYED, on("caller", other_server(0.5, "31.13.87.200")), quick=True
    ),
    Edited(
        "both relays change in the middle",
        RELAYED,
        everywhere(
            on("caller", other_server(0.5, "31.13.87.200")),
            on("callee", other_server(0.5, "2a03:2880:f217:ce:face:b00c:0:2222")),
        ),
    ),
    real("a real relay changes on one side", "relay_voice_a", on("callee", other_server(0.5, "31.13.87.200"))),
    Edited(
        "ICE restarts in the middle, with other fragments and ports",
        DIRECT,
        restarted(0.5, ("Rs1a", "Rs2b")),
        changes={"user_ids": "more"},
        quick=True,
    ),
    real(
        "a real direct call restarts ICE once",
        "mdns_real_voice",
        restarted(0.5, ("Rs1a", "Rs2b")),
        changes={"user_ids": "more"},
    ),
    Edited(
        "the caller is handed over to another network",
        DIRECT,
        everywhere(
            on("caller", near_port(0.6, 39_999, "100.64.250.250")),
            on("callee", far_port(0.6, 61_111, "198.51.100.201")),
        ),
        CALL,
        OTHER_MEDIA,
    ),
    Edited(
        "the caller is handed over to another network, whose addresses were recorded too",
        DIRECT,
        everywhere(
            on("caller", near_port(0.6, 39_999, "100.64.250.250")),
            on("callee", far_port(0.6, 61_111, "198.51.100.201")),
            noted("caller", "100.64.250.250", "public:198.51.100.201"),
        ),
    ),
    real(
        "a real relayed side is handed over to another network",
        "relay_voice_a",
        on("callee", near_port(0.6, 39_999, "100.64.250.250")),
        CALL,
        changes=OTHER_MEDIA,
    ),
)

TRANSPORTS = (
    Edited(
        "the caller's relay is on port 443, which the app does not list",
        RELAYED,
        on("caller", server_port(443)),
        ("user_ids", *EXPOSED),
        quick=True,
    ),
    Edited("the relays are on port 5349 on both sides", RELAYED, on("both", server_port(5349)), ("user_ids", *EXPOSED)),
    Edited("the callee's relay is on port 40002", RELAYED, on("callee", server_port(40_002)), ("user_ids", *EXPOSED)),
    real("a real relay is on port 443, and no ports are listed", "relay_voice_a", on("both", server_port(443))),
    real(
        "a real relay is on port 40002, and the app lists others",
        "relay_voice_a",
        on("both", server_port(40_002)),
        ("user_ids",),
        app="messenger",
    ),
    Edited("the caller's TURN is over TCP", RELAYED, on("caller", over_tcp()), quick=True),
    Edited("TURN is over TCP on both sides, with segments lost and late", RELAYED, on("both", over_tcp(disorder=True))),
    Edited("TURN is over TCP on port 443 on both sides", RELAYED, on("both", over_tcp(port=443)), ("user_ids",)),
    real("a real TURN is over TCP on one side", "relay_voice_a", on("caller", over_tcp()), quick=True),
    real(
        "a real TURN is over TCP on both sides, with segments lost and late",
        "relay_voice_a",
        on("both", over_tcp(disorder=True)),
    ),
    Edited("the caller's TURN is over TLS", RELAYED, on("caller", over_tls(443)), (), ENCRYPTED),
    Edited("no channel is bound on either side", RELAYED, on("both", in_indications)),
    real("no real channel is bound on either side", "relay_voice_a", on("both", in_indications)),
    Edited(
        "only the callee has a relay, and the caller talks to its relayed address",
        RELAYED,
        lambda trial: direct_to_relay(trial.caller, relayed_address(trial.callee)),
        (*CALL, "user_ids", "caller_public", "caller_private"),
        changes=dict.fromkeys(("callee_public", "callee_private", "duration"), ANY),
        quick=True,
    ),
    real(
        "a real call has a relay at the callee alone",
        "relay_voice_a",
        lambda trial: direct_to_relay(trial.caller, relayed_address(trial.callee)),
        (*CALL, "user_ids"),
        changes={"duration": ANY},
    ),
)

MEDIA = (
    Edited(
        "voice becomes video in the middle",
        RELAYED,
        fuller(0.5, 3, 1100),
        (*CALL, "user_ids", *EXPOSED),
        {"service": "video", "media": ANY},
    ),
    Edited("video becomes voice in the middle", VIDEO, thinner(0.5, 400), (*CALL, "user_ids", *EXPOSED), OTHER_MEDIA),
    Edited(
        "the caller's microphone is off", RELAYED, silent("one"), ("user_ids", *EXPOSED), NOT_A_CALL, "contradiction"
    ),
    Edited(
        "an answered call is silent",
        RELAYED,
        silent("both"),
        ("user_ids", *EXPOSED),
        NOT_A_CALL,
        "contradiction",
        quick=True,
    ),
    Edited(
        "of an answered call there are keep-alives alone",
        RELAYED,
        kept_alive(60, 4),
        ("user_ids", *EXPOSED),
        NOT_A_CALL,
        "contradiction",
    ),
    Edited("the media are not RTP", RELAYED, on("both", of_another_kind)),
    Edited("the media begin twelve seconds late", RELAYED, late(12), changes=OTHER_MEDIA),
    Edited(
        "a cancelled call has a TLS download beside it",
        CANCELLED,
        on("both", tls(3000)),
        ("established", "user_ids"),
        quick=True,
    ),
    Edited("a cancelled call has TLS both ways beside it", CANCELLED, on("both", tls(900, both=True)), ("user_ids",)),
    Edited(
        "another cancelled call has a TLS upload beside it",
        UNANSWERED,
        on("caller", tls(2000, up=True)),
        ("established",),
    ),
    Edited(
        "a relayed call has a TLS download and an upload beside it",
        RELAYED,
        everywhere(on("caller", tls(3000)), on("callee", tls(3000, up=True))),
    ),
    Edited("a direct call has QUIC beside it", DIRECT, on("caller", noise_of_udp)),
    Edited("another phone at the callee's hotspot makes a call too", DIRECT, on("callee", another_phone)),
    Edited(
        "another app's call is beside a cancelled one", CANCELLED, call_beside(OTHER_APP), ("user_ids",), OTHER_MEDIA
    ),
    Edited(
        "another app's call is beside a relayed one", RELAYED, call_beside(OTHER_APP), (*CALL, "user_ids", *EXPOSED)
    ),
    Edited("a call without ICE has TLS both ways beside it", WITHOUT_ICE, on("both", tls(900, both=True)), NO_IDS),
)

EDITS = (*RESPONSES, *PATHS, *TRANSPORTS, *MEDIA)
"""Of calls; those of captures are in `edits_of_captures`."""
