"""What each CSV and each column says, in one sentence: the data dictionary. docs/dataset.md has the whole of it."""

from correlate.link import MEASURES
from correlate.tables import kinds

TITLES = {
    "trials": "One row a complete trial: what was asked, with which versions, when, and what the phones witnessed",
    "endpoints": "Whose addresses the other side's trace shows, and by which route media go",
    "servers": "The servers that each side talks to, and those that both use at one time",
    "duration": "How long the call lasts on each side, and when, under four rules for a session",
    "volume": "How much each side sends and receives",
    "service": "Whether traffic tells a voice call from a video call",
    "signalling": "User ids that both sides show, and packet counts that tell who called",
    "sessions": "The sessions of each side with servers of the call and with the other phone",
    "wrong_pairs": "The negative control: the caller's leg of one trial beside the callee's of another",
    "link": "Which caller leg belongs to which callee leg: precision by load and score",
    "table1": "The paper's Table 1: devices and tools",
    "table2": "The paper's Table 2: apps, versions and call services",
    "table3": "The paper's Table 3: endpoint identifiability",
    "table4": "The paper's Table 4: shared servers and ports",
    "table5": "The paper's Table 5: host names of relay servers",
    "table6": "The paper's Table 6: call duration differences",
    "table7": "The paper's Table 7: traffic volume differences, packets",
    "table8": "The paper's Table 8: traffic volume differences, KB",
    "figure6": "The paper's Figure 6: sessions by duration, with host names",
    "figure7": "The paper's Figure 7: sessions of voice and video calls that nobody answered",
    "figure8": "The paper's Figure 8: sessions of voice and video conversations near in time",
    "claims": "The claims of the paper's sections 4.1 to 4.7, each beside its chance level",
}

KEYS = {
    "trial": "The trial's ID",
    "app": "The app",
    "service": "The service that was called: `voice`, `video`",
    "direction": "Which phone calls which, by their networks",
    "scenario": "The call scenario",
    "repetition": "Which of the trials of this kind, from 1",
    "side": "`caller` or `callee`",
    "phone": "The phone on that side",
    "app_version": "The version of the app on that phone; empty where nobody recorded it",
    "evidence": "Frames that prove the row: `what`, `capture` (side), `frame` as Wireshark counts, its `time_ns`",
    "reasons": "Why values are null: column to reason",
    "reason": "The same in words, for people",
}

TRIALS = {
    "caller": "The phone that calls",
    "callee": "The phone that is called",
    "app_version": "version of the app; empty where nobody recorded it",
    "network": "label of its network",
    "vantage": "where its traffic was captured: `interface`, `hotspot` or `vpn`",
    "bound_ns": "how far its times in the controller's may be off; empty where its clock was never compared",
    "revision": "Which revision of the YAML it ran with",
    "attempt": "How many attempts were kept before this one",
    "capture_restarts": "How often both captures were begun again because it was too loud",
    "started_ns": "When it began, in ns since 1970, a multiple of 256; without a record the first datagram",
    "ended_ns": "When it ended, in ns since `started_ns`",
    "answered": "Whether the call was answered; empty where nobody can tell",
    "answered_by": "Who says so: `observed` on the phones, `stated` by a list, `undecided` by the phones' witnesses",
    "calls": "How many calls of the app there were, where that is proven; so the other claims",
    "rang": "Whether the callee rang",
    "ended_by": "Who ended it: `caller`, `callee` or `system`",
    "service_observed": "The service that the phones showed",
    "nothing_else": "Whether there was no other call on the phones",
    "in_front": "Whether the call was in front",
    "provenance": "`modelled`, `rehearsed` or `measured`",
    "not_proven": "Of each claim of the witnesses that is not proven, its verdict and why",
    "reason": "Why the trial could not be read; empty where it could",
}

OWN = {
    "vantage": "Where this phone's traffic was captured",
    "exposed_public": "Whether the other side's trace shows a public address of this phone",
    "exposed_private": "Whether the other side's trace shows a private address of this phone",
    "seen": "These addresses, place by place",
    "clat": "464XLAT constants in this side's trace",
    "unexplained": "Addresses in this side's trace that belong to nobody known",
    "unseen": "STUN that was not there to be looked at",
    "no_disclosure": "Of the trial: no address of either phone is seen",
    "established": "Whether the wire shows a conversation",
    "p2p_observed": "Whether packets go both ways directly between the phones",
    "routing": "`p2p` or `relay`: by which way at least half of the media payload goes",
    "direct_payload_bytes": "Media payload that goes directly, both sides together",
    "relayed_payload_bytes": "Media payload through relays, both sides together",
    "foreign_packets": "Packets of UDP flows with no end at this phone",
    "mixed_up": "Why the captures are not two sides of one call; empty where nothing says so",
    "servers": "Servers of the call: `address`, `port`, `name`",
    "shared": "Those that the other side uses at the same time",
    "matches": "Servers that match one of the other side, and for how long both were in use",
    "overlap_bound_ns": "How far the overlaps may be off",
    "server_addresses": "How many addresses `servers` has",
    "ipv4_payload_bytes": "UDP payload to and from servers over IPv4",
    "ipv6_payload_bytes": "UDP payload to and from servers over IPv6",
    "bound_ns": "How far this side's times in the controller's may be off",
    "start_bound_ns": "How far start differences may be off",
    "duration_bound_ns": "How far duration differences may be off",
    "round_trip_ns": "The longest that a STUN request of this phone took to be answered",
    "transport": "What carries it: `udp`, `tcp`, both, or `media_not_udp`",
    "above_mtu": "Whether UDP frames are above the MTU, so that packets are not those of the wire",
    "captured_twice": "Whether so many datagrams are there twice that no volume is the wire's",
    "tx_duplicates": "Datagrams sent that are there a second time",
    "rx_duplicates": "Datagrams received that are there a second time",
    "not_followed": "Frames that hold packets that nobody looked into",
    "service_found": "The service that traffic tells: `voice`, `video`, or empty",
    "margin": "The media rate over the threshold, where no RTP decides",
    "media_bytes_per_s": "Media payload a second, of the faster direction",
    "sessions_identical": "Whether its sessions with servers have the same packets and bytes",
    "calling": "Whether the wire shows this side to be the calling leg",
    "role_rule": "The rule that says so",
    "pair_packets": "Packets of the two sessions that the rule looks at",
    "user_ids": "ICE fragments that both traces show",
    "user_id_bits": "The most that each of them can carry",
    "user_id_rule": "Which fragments count",
    "own_fragments": "How many fragments this side shows",
    "identifier_in_clear": "The lab's own identifiers that stand in this side's capture",
    "number": "Which session of this side, from 1",
    "kind": "`server`: with a server of the call; `direct`: with the other phone",
    "remote": "Its far ends, one after the other where it moved",
    "address": "The address of the first of its far ends",
    "port": "The port of the first of its far ends",
    "name": "The host name of that address",
    "first_ns": "First packet, in ns since the trial's `started_ns`",
    "last_ns": "Last packet, in ns since the trial's `started_ns`",
    "duration_ns": "Last less first packet, by this side's own clock",
    "caller_trial": "The trial of the caller's leg",
    "callee_trial": "The trial of the callee's leg",
    "paired": "Over what they are paired",
    "aligned": "Which instants were made one",
    "rule": "What decided it, in words",
}

INNER = {
    "duration_ns": "last less first packet, by this side's own clock",
    "first_ns": "first packet, in ns since the trial's `started_ns`",
    "last_ns": "last packet, in ns since the trial's `started_ns`",
    "remote": "the far end",
    "start_difference_ns": "first packet of this side less that of the other",
    "start_within_bound": "whether the clocks cannot tell that from zero",
    "duration_difference_ns": "duration of this side less that of the other",
    "duration_within_bound": "whether the clocks cannot tell that from zero",
    "identity": "by which sign both sides' are one session",
    "first_difference_ns": "begin of this side less that of the other",
    "last_difference_ns": "end of this side less that of the other",
    "bound_ns": "how far these may differ",
    "differs": "whether one differs by more",
    "tx_packets": "packets sent",
    "rx_packets": "packets received",
    "tx_payload_bytes": "payload sent",
    "rx_payload_bytes": "payload received",
    "tx_frame_bytes": "whole frames sent",
    "rx_frame_bytes": "whole frames received",
    "tx_less_rx_packets": "packets sent less those that the other side received",
    "tx_less_rx_payload_bytes": "payload sent less that which the other side received",
    "edge_packets": "packets where the other capture does not reach",
    "received_more": "whether the other side received more than this side sent",
}
"""Of a session, or of what a side sent and received."""

OUTER = {
    "longest_relay": "Longest session with a server (the headline)",
    "best_match": "Session that matches best (selects on the outcome)",
    "p2p": "Longest direct session",
    "media_union": "All media together",
    "media_span": "Where media flow both ways",
    "relayed": "All sessions with servers",
    "media": "Media of the call",
    "crosswise": "Media across both sides",
    "tcp": "TCP of everything",
    "quic": "QUIC of everything",
}

LINK = {
    "load": "Calls in progress",
    "skew_s": "Standard deviation of the collectors' clocks, in s",
    "calls_an_hour": "Candidates for each caller leg",
    "copies": "How many calls in all hours are copies",
    "app": "The tested app, or `all`",
    "score": "What ranks: `all dimensions`, `only X`, `without X`, or a baseline",
    "n": "Caller legs that were ranked",
    "precision_at_1": "share of legs whose partner is first",
    "precision_at_10": "share of legs whose partner is among the first ten",
    "top_posterior": "the probability that the score gives its first choice",
    "rank": "rank of the true partner",
    "rank_median": "Median rank of the true partner",
    "tpr_at_fpr_1e3": "share of true pairs above the threshold that 1 in 1000 wrong pairs passes",
    "anonymity_bits": "entropy of the posterior over the candidates",
    "anonymity_set_median": "Median of 2 to the power of that entropy",
    "left_out": "Trials without two legs",
    "reason": "Why there is no value",
    "assumes": "What the figures rest on",
    "provenance": "`modelled`, `rehearsed` or `measured`",
}
ENDS = {"": "Mean", "_low": "Lower end of the 95% interval of the mean", "_high": "Upper end of that interval"}
NAMES_OF_SIDES = ("caller", "callee")


def of(resource: str, column: str) -> str:
    """What a column of a CSV says. Raises `KeyError` for one that nobody described."""
    if resource in TABLES:
        return kinds.COLUMNS[column].text
    if resource == "link":
        return _of_link(column)
    if resource == "trials":
        return _of_trials(column)
    if resource == "wrong_pairs" and column.startswith(NAMES_OF_SIDES) and column not in OWN:
        side, _, inner = column.partition("_")
        return f"The {side}'s leg: {_inside(inner)}"
    return KEYS.get(column) or OWN.get(column) or _inside(column)


TABLES = frozenset(name for name in TITLES if name.startswith(("table", "figure"))) | {"claims"}


def _inside(column: str) -> str:
    outer = max((each for each in OUTER if column.startswith(f"{each}_")), key=len, default="")
    if not outer:
        return INNER[column].capitalize()
    return f"{OUTER[outer]}: {INNER[column.removeprefix(f'{outer}_')]}"


def _of_link(column: str) -> str:
    for end, text in ENDS.items():
        if column.endswith(end) and (name := column.removesuffix(end)) in MEASURES:
            return f"{text}: {LINK[name]}"
    return LINK[column]


def _of_trials(column: str) -> str:
    if column in TRIALS:
        return TRIALS[column]
    side, _, name = column.partition("_")
    return f"The {side}'s phone: {TRIALS[name]}" if side in NAMES_OF_SIDES else KEYS[column]
