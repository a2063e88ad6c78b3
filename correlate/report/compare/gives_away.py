"""Which claims give something away, and how: whether a leak opened is read off here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Direction = Literal["more", "fewer", "neither"]


@dataclass(frozen=True)
class Gives:
    """In which direction a claim gives away: `more` where it holds in more trials, `fewer` where in fewer, `neither`
    where it says how calls are carried, not what they give away. `unless` names the claim that gives away more: where
    fewer trials satisfy that one, trials that satisfy this one instead give away less than before."""

    direction: Direction
    unless: str = ""


MORE, FEWER, NEITHER = Gives("more"), Gives("fewer"), Gives("neither")

GIVES_AWAY: Mapping[str, Gives] = {
    "no_disclosure_before_answer": FEWER,
    "caller_exposed_before_answer": MORE,
    "all_addresses_exposed": MORE,
    "only_public_addresses_exposed": Gives("more", unless="all_addresses_exposed"),
    "p2p_and_all_exposed_when_device_1_calls": MORE,
    "relayed_and_concealed_when_device_2_calls": FEWER,
    "all_addresses_exposed_when_relayed": MORE,
    "only_public_addresses_exposed_when_relayed": Gives("more", unless="all_addresses_exposed_when_relayed"),
    "three_udp_servers": NEITHER,
    "shared_server": MORE,
    "ipv6_majority_on_device_1": NEITHER,
    "duration_matched_session": MORE,
    "three_equal_sessions": NEITHER,
    "p2p_duration_matched": MORE,
    "asymmetry_before_answer": NEITHER,
    "symmetry_in_conversation": MORE,
    "service_told_before_answer": MORE,
    "identical_sessions_at_the_voice_caller_alone": MORE,
    "service_told_in_conversation": MORE,
    "video_louder_than_voice": MORE,
    "role_told_by_packet_counts": MORE,
    "same_user_ids": MORE,
    "port_3478_on_both_sides": NEITHER,
    "medians_below_1_4_s": NEITHER,
    "device_2_spreads": NEITHER,
    "voice_and_video_alike_before_answer": NEITHER,
}
"""By claim. Those of a cell are not tested, so none of them opens a leak."""
