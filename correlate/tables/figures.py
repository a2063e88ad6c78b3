"""The paper's Figures 6 to 8 as tables: the sessions of both sides, of trials that are chosen by rule and not by what
they show. The paper prints one trial an app."""

from collections.abc import Iterable, Iterator
from itertools import product

from correlate.dataset import SIDES
from correlate.findings.cases import SERVICES, Case
from correlate.findings.sessions import SessionRow
from correlate.tables.layout import Row, Table, table
from correlate.tables.predicates import both_ways
from correlate.tables.study import Study
from correlate.tables.with_left_out import out_notes

TIMEOUT = "system_timeout"
"""The scenario of the paper's Figure 7."""
WHO = "app service trial side phone"
COUNTED = "packets bytes tx_packets tx_bytes rx_packets rx_bytes duration_s"
FRAMES = (
    "bytes: whole frames, as the paper's tool counts them; kind: server, a session with a server of the call, or "
    "direct, one with the other phone"
)
NAMES = "names: PTR look-ups after the run, else DNS answers in the captures; hosts of one cluster are twins"


def figures(study: Study) -> list[Table]:
    """figure6 to figure8, in order, of the trials that are proven to be what each speaks of."""
    by_scenario = study.speaking_of("scenario", "service")
    return [figure6(study.speaking_of("answered", "service")), figure7(by_scenario), figure8(by_scenario)]


def figure6(study: Study) -> Table:
    """Both sides' sessions of one conversation an app, the longest first, with host names."""
    chosen = [next(iter(_conversations(study, app)), None) for app in study.apps]
    rows = [
        {**row, "rank": rank}
        for case in chosen
        if case
        for side in SIDES
        for rank, row in enumerate(_sessions(study, case, side), 1)
    ]
    notes = (
        *out_notes(study),
        "of each app the first conversation of the plan",
        NAMES,
        "duration: last minus first packet, by each side's own clock",
    )
    columns = f"{WHO} rank kind remote name cluster duration_s packets"
    return table("figure6", "Figure 6: sessions by duration, with host names", columns, rows, notes, study.provenance)


def figure7(study: Study) -> Table:
    """Both sides' sessions of an unanswered voice and an unanswered video call an app."""
    chosen = [
        next(iter(study.select(app=app, service=service, scenario=TIMEOUT)), None)
        for app, service in product(study.apps, SERVICES)
    ]
    notes = (*out_notes(study), f"of each app and service the first trial of {TIMEOUT} in the plan", FRAMES)
    title = "Figure 7: sessions of voice and video calls that nobody answered"
    return table("figure7", title, _COLUMNS, list(_all(study, chosen)), notes, study.provenance)


def figure8(study: Study) -> Table:
    """Both sides' sessions of a voice and a video conversation an app, near in time."""
    chosen = [case for app in study.apps for case in _nearest(list(_conversations(study, app)))]
    notes = (
        *out_notes(study),
        "of each app the voice and the video conversation of one scenario and direction that began nearest in time; "
        "where nobody wrote down when, the first two of the plan",
        FRAMES,
    )
    title = "Figure 8: sessions of voice and video conversations near in time"
    return table("figure8", title, _COLUMNS, list(_all(study, chosen)), notes, study.provenance)


_COLUMNS = f"{WHO} kind remote name {COUNTED}"


def _conversations(study: Study, app: str) -> list[Case]:
    return [case for case in study.select(app=app) if case.is_conversation]


def _nearest(talks: list[Case]) -> tuple[Case, ...]:
    """A voice and a video call of one scenario and direction; of equally near ones the first of the plan."""
    pairs = [
        (voice, video)
        for voice, video in product(*([case for case in talks if case.service == each] for each in SERVICES))
        if (voice.scenario, voice.direction) == (video.scenario, video.direction)
    ]
    return min(pairs, key=_apart_ns, default=())


def _apart_ns(pair: tuple[Case, Case]) -> float:
    voice_ns, video_ns = (case.started_ns for case in pair)
    return float("inf") if voice_ns is None or video_ns is None else abs(voice_ns - video_ns)


def _all(study: Study, chosen: Iterable[Case | None]) -> Iterator[Row]:
    for case in chosen:
        for side in SIDES if case else ():
            yield from _sessions(study, case, side) if case else ()


def _sessions(study: Study, case: Case, side: str) -> list[Row]:
    """The longest first."""
    return [_row(study, case, each) for each in sorted(case.sessions[side], key=lambda each: -each.duration_ns)]


def _row(study: Study, case: Case, of: SessionRow) -> Row:
    names = [study.names.get(each.split(" ")[0]) for each in of.remote.split(", ")]
    clusters = [cluster for name in names if (cluster := study.rules[case.app].cluster(name))]
    return {
        "app": case.app,
        "service": case.service,
        "trial": case.trial,
        "side": of.side,
        "phone": of.phone,
        "kind": of.kind,
        "remote": of.remote,
        "name": ", ".join(dict.fromkeys(name for name in names if name)) or None,
        "cluster": ", ".join(dict.fromkeys(clusters)) or None,
        "packets": both_ways(of.tx_packets, of.rx_packets),
        "bytes": both_ways(of.tx_frame_bytes, of.rx_frame_bytes),
        "tx_packets": of.tx_packets,
        "tx_bytes": of.tx_frame_bytes,
        "rx_packets": of.rx_packets,
        "rx_bytes": of.rx_frame_bytes,
        "duration_s": of.duration_ns / 1e9,
    }
