"""claims.csv: what the paper's sections 4.1 to 4.6 claim, counted by app and scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from correlate.findings import Case
from correlate.tables.layout import Cell, Table, table
from correlate.tables.statistics import normalised
from correlate.tables.study import Study, count

MATCHED_S = 3.0
ASYMMETRIC = 0.1
MIN_SERVERS = 3

Verdict = Callable[[Case, Study], bool | None]


@dataclass(frozen=True)
class Claim:
    """One claim: `applies` picks the trials it speaks of, `holds` decides one of them, `rule` says how in words."""

    name: str
    section: str
    rule: str
    applies: Callable[[Case, Study], bool]
    holds: Verdict


def _always(case: Case, study: Study) -> bool:
    return True


def _answered(case: Case, study: Study) -> bool:
    return bool(case.of("endpoints", "established"))


def _unanswered(case: Case, study: Study) -> bool:
    return case.of("endpoints", "established") is False


def _device_1(case: Case, study: Study) -> bool:
    return 1 in {study.device(phone) for phone in case.phones.values()}


def _exposed(case: Case) -> dict[tuple[str, str], bool]:
    return {
        (side, role): bool(case.of("endpoints", f"exposed_{role}", side))
        for side in ("caller", "callee")
        for role in ("public", "private")
    }


def _caller_exposed(case: Case, study: Study) -> bool:
    seen = _exposed(case)
    return seen["caller", "public"] and seen["caller", "private"]


def _all_exposed(case: Case, study: Study) -> bool:
    return all(_exposed(case).values())


def _only_public(case: Case, study: Study) -> bool:
    return all(seen == (role == "public") for (_, role), seen in _exposed(case).items())


def _three_servers(case: Case, study: Study) -> bool:
    return all((case.of("servers", "server_addresses", side) or 0) >= MIN_SERVERS for side in ("caller", "callee"))


def _ipv6_majority(case: Case, study: Study) -> bool:
    side = next(side for side, phone in case.phones.items() if study.device(phone) == 1)
    return (case.of("servers", "ipv6_payload_bytes", side) or 0) > (case.of("servers", "ipv4_payload_bytes", side) or 0)


def _matched(case: Case, study: Study) -> bool | None:
    ends = [case.of("duration", "best_match_duration_ns", side) for side in ("caller", "callee")]
    return None if None in ends else abs(ends[0] - ends[1]) / 1e9 <= MATCHED_S


def _packet_difference(case: Case) -> float | None:
    totals = []
    for side in ("caller", "callee"):
        sent, received = (case.of("volume", f"longest_relay_{way}_packets", side) for way in ("tx", "rx"))
        if sent is None or received is None:
            return None
        totals.append(sent + received)
    return normalised(*totals)


def _asymmetric(case: Case, study: Study) -> bool | None:
    difference = _packet_difference(case)
    return None if difference is None else difference > ASYMMETRIC


def _symmetric(case: Case, study: Study) -> bool | None:
    difference = _packet_difference(case)
    return None if difference is None else difference <= ASYMMETRIC


def _service_told(case: Case, study: Study) -> bool:
    return bool(case.of("service", "service") == case.service)


def _role_told(case: Case, study: Study) -> bool:
    return case.of("signalling", "calling", "caller") is True and case.of("signalling", "calling", "callee") is False


def _is_video(case: Case, study: Study) -> bool:
    return _answered(case, study) and case.service == "video"


def _louder(case: Case, study: Study) -> bool | None:
    """Whether a video trial carries more than every voice trial of its app, scenario and direction."""
    peers = study.select(app=case.app, scenario=case.scenario, direction=case.direction, service="voice")
    voices = [_payload_bytes_per_s(voice) for voice in peers if _answered(voice, study)]
    rate = _payload_bytes_per_s(case)
    return None if not voices or rate is None else all(voice is not None and rate > voice for voice in voices)


def _payload_bytes_per_s(case: Case) -> float | None:
    rates = [case.of("service", "media_bytes_per_s", side) for side in ("caller", "callee")]
    return max((rate for rate in rates if rate is not None), default=None)


CLAIMS = (
    Claim(
        "no_disclosure_before_answer", "4.1",
        "unanswered: no address of either phone in the other's trace, nothing unexplained in STUN",
        _unanswered, lambda case, study: case.of("endpoints", "no_disclosure"),
    ),
    Claim(
        "caller_exposed_before_answer", "4.1",
        "unanswered: the caller's public and private address are visible in the callee's trace",
        _unanswered, _caller_exposed,
    ),
    Claim(
        "all_addresses_exposed", "4.1", "conversation: public and private addresses of both are visible to the other",
        _answered, _all_exposed,
    ),
    Claim(
        "only_public_addresses_exposed", "4.1",
        "conversation: public addresses of both are visible to the other, private ones of neither",
        _answered, _only_public,
    ),
    Claim(
        "three_udp_servers", "4.2", f"each side talks to at least {MIN_SERVERS} distinct server addresses of the call",
        _always, _three_servers,
    ),
    Claim(
        "shared_server", "4.2", "a server, or its twin, on the same port is used by both sides at the same time",
        _always, lambda case, study: bool(case.of("servers", "shared")),
    ),
    Claim(
        "ipv6_majority_on_device_1", "4.2", "on device 1 most payload to and from servers goes to IPv6 addresses",
        _device_1, _ipv6_majority,
    ),
    Claim(
        "duration_matched_session", "4.3",
        f"the best matching pair of sessions (best_match) differs by at most {MATCHED_S:g} s",
        _always, _matched,
    ),
    Claim(
        "asymmetry_before_answer", "4.4",
        f"unanswered: packets of the longest relayed session differ by more than {ASYMMETRIC:g}, normalised",
        _unanswered, _asymmetric,
    ),
    Claim(
        "symmetry_in_conversation", "4.4",
        f"conversation: packets of the longest relayed session differ by at most {ASYMMETRIC:g}, normalised",
        _answered, _symmetric,
    ),
    Claim(
        "service_told_before_answer", "4.5", "unanswered: the wire tells voice from video, and rightly",
        _unanswered, _service_told,
    ),
    Claim(
        "service_told_in_conversation", "4.5", "conversation: the media rate tells voice from video, and rightly",
        _answered, _service_told,
    ),
    Claim(
        "video_louder_than_voice", "4.5",
        "conversation: a video call's media rate is above that of every voice call of its app, scenario and direction",
        _is_video, _louder,
    ),
    Claim(
        "role_told_by_packet_counts", "4.6",
        "the two closest sessions have 10 packets or more at the caller and fewer at the callee (the app's role rule)",
        _always, _role_told,
    ),
    Claim(
        "same_user_ids", "4.6", "at least one ICE fragment of a STUN USERNAME is in both traces",
        _always, lambda case, study: bool(case.of("signalling", "user_ids")),
    ),
)  # fmt: skip


def claims(study: Study) -> Table:
    """Every claim for every app and scenario where it applies: n/N, whether it holds in all, and the rule."""
    columns = "claim section app scenario n N wilson_low wilson_high holds paper_claims agreement rule"
    notes = ("holds: in all N trials that the claim speaks of; paper_claims: whether the paper claims it for this app",)
    return table("claims", "Claims of sections 4.1 to 4.6", columns, list(_rows(study)), notes, study.provenance)


def _rows(study: Study) -> Iterator[dict[str, Cell]]:
    published = study.paper["claims"]
    known = {row["app"] for row in study.paper["table2"]}
    for claim in CLAIMS:
        for app in study.apps:
            for scenario in study.scenarios:
                cases = [case for case in study.select(app=app, scenario=scenario) if claim.applies(case, study)]
                if not cases:
                    continue
                counted = count(cases, lambda case, claim=claim: claim.holds(case, study))  # type: ignore[misc]
                holds = counted["n"] == counted["N"]
                is_claimed = scenario in published[claim.name].get(app, [])
                yield {
                    "claim": claim.name,
                    "section": claim.section,
                    "app": app,
                    "scenario": scenario,
                    **counted,
                    "holds": "yes" if holds else "no",
                    "paper_claims": "yes" if is_claimed else None,
                    "agreement": study.compare(holds) if is_claimed and app in known else "",
                    "rule": claim.rule,
                }
