"""The sessions of both sides, and the paper's Figures 6 to 8 made of them."""

from dataclasses import replace

import pytest

from correlate import findings
from correlate.dataset import Dataset
from correlate.errors import BadDataset
from correlate.findings.cases import cases
from correlate.tables.condensed import grids
from correlate.tables.figures import figures
from correlate.tables.layout import as_markdown
from correlate.tables.study import Study

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
FIRST, SECOND = ("192.0.2.50", 3478), ("192.0.2.51", 3478)
NAMES = {"192.0.2.51": {"name": "relay6-1.example.com", "how": "PTR", "when_ns": 1}}
ANALYSIS = {"relay_ports": [3478], "twins": r"^relay6?-(\d+)\.example\.com$"}


def call_of(build, packets=150, **keys):
    """Two sessions a side: 10 s with the first server, 30 s with the second one; the direct path for 5 s."""
    call = build.call(ring_s=4.0, **keys)
    for side, local, far in ((call.caller, A, ("198.51.100.20", 6001)), (call.callee, B, ("203.0.113.7", 5001))):
        for server, end_s in ((FIRST, 10.0), (SECOND, 30.0)):
            side.relay(local, server, 0.0)
            side.talk(local, server, 1.0, end_s, packets, packets - 1)
        side.talk(local, far, 1.0, 6.0, 4, 4)
    return call


def study_of(tmp_path, build, *calls):
    build.dataset(tmp_path, calls, analysis=ANALYSIS, names=NAMES)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    return Study.of(Dataset(tmp_path))


def test_every_session_has_its_row_with_what_it_carried(tmp_path, build):
    (case,) = study_of(tmp_path, build, call_of(build, talk_s=20.0)).cases
    found = [
        (each.kind, each.remote, each.duration_ns, each.tx_packets, each.rx_packets) for each in case.sessions["caller"]
    ]
    assert found == [
        ("server", "192.0.2.51 port 3478", 30_000_000_000, 151, 150),
        ("server", "192.0.2.50 port 3478", 10_000_000_000, 151, 150),
        ("direct", "198.51.100.20 port 6001", 5_000_000_000, 4, 4),
    ]
    longest = case.sessions["caller"][0]
    assert (longest.phone, longest.first_ns, longest.last_ns) == ("alpha", build.T0_NS, build.T0_NS + 30_000_000_000)
    # An Allocate of 20 bytes and 150 packets of 100, with their IP and UDP headers.
    assert (longest.tx_payload_bytes, longest.tx_frame_bytes) == (15_020, 15_020 + 151 * 28)


def test_a_clock_that_was_never_compared_gives_no_instant(tmp_path, build):
    call = call_of(build)
    build.dataset(tmp_path, [call])
    build.forget(tmp_path, call, clocks=["caller"])
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    (case,) = cases(Dataset(tmp_path)).read
    firsts = {side: {each.first_ns is None for each in case.sessions[side]} for side in ("caller", "callee")}
    assert firsts == {"caller": {True}, "callee": {False}}
    assert {each.duration_ns for each in case.sessions["caller"]} == {30_000_000_000, 10_000_000_000, 5_000_000_000}


def test_sessions_that_do_not_fit_are_refused_with_their_line(tmp_path, build):
    study_of(tmp_path, build, call_of(build))
    path = Dataset(tmp_path).findings_dir / "sessions.csv"
    path.write_text(path.read_text().replace(",30000000000,151,", ",long,151,", 1))
    with pytest.raises(BadDataset, match=r"sessions\.csv:2: does not fit: ValueError.*duration_ns"):
        cases(Dataset(tmp_path))
    path.unlink()
    with pytest.raises(BadDataset, match=r"sessions\.csv: cannot be read: No such file or directory; correlate first"):
        cases(Dataset(tmp_path))


@pytest.fixture
def made(tmp_path, build):
    """In the plan's order: voice that nobody answered, two voice conversations, video in both directions."""
    study = study_of(
        tmp_path,
        build,
        call_of(build, 20, scenario="system_timeout"),
        call_of(build, talk_s=20.0, scenario="callee_hangs_up"),
        call_of(build, talk_s=20.0),
        call_of(build, talk_s=20.0, service="video", direction="fixed_to_lte"),
        call_of(build, talk_s=20.0, service="video"),
    )
    return {each.name: each for each in figures(study)}


def trials(of):
    return list(dict.fromkeys(row["trial"] for row in of.rows))


def test_figure_6_is_of_the_first_conversation_with_the_longest_session_first(made):
    figure = made["figure6"]
    assert trials(figure) == ["maple-voice-lte_to_fixed-callee_hangs_up-1"]
    ranked = [(row["side"], row["rank"], row["kind"], row["remote"], row["duration_s"]) for row in figure.rows]
    assert ranked[:3] == [
        ("caller", 1, "server", "192.0.2.51 port 3478", 30.0),
        ("caller", 2, "server", "192.0.2.50 port 3478", 10.0),
        ("caller", 3, "direct", "198.51.100.20 port 6001", 5.0),
    ]
    assert [row[:3] for row in ranked[3:]] == [
        ("callee", 1, "server"),
        ("callee", 2, "server"),
        ("callee", 3, "direct"),
    ]
    assert [(row["name"], row["cluster"]) for row in figure.rows[:2]] == [("relay6-1.example.com", "1"), (None, None)]


def test_figure_7_is_of_a_call_that_timed_out_and_has_no_row_for_a_service_without_one(made):
    assert trials(made["figure7"]) == ["maple-voice-lte_to_fixed-system_timeout-1"]
    row = made["figure7"].rows[0]
    assert (row["packets"], row["tx_packets"], row["rx_packets"]) == (41, 21, 20)
    assert row["bytes"] == row["tx_bytes"] + row["rx_bytes"] == 39 * 128 + 2 * 48


def test_figure_8_pairs_voice_and_video_of_one_scenario_and_direction(made):
    assert trials(made["figure8"]) == [
        "maple-voice-lte_to_fixed-caller_hangs_up-1", "maple-video-lte_to_fixed-caller_hangs_up-1",
    ]  # fmt: skip


def test_figure_8_takes_the_pair_that_began_nearest_in_time(tmp_path, build):
    """Voice calls 100 s and 30 s before the only video call of their kind; one nearer to it went the other way."""
    calls = [
        call_of(build, talk_s=20.0),
        call_of(build, talk_s=20.0, repetition=2),
        call_of(build, talk_s=20.0, direction="fixed_to_lte"),
        call_of(build, talk_s=20.0, service="video"),
    ]
    study = study_of(tmp_path, build, *calls)
    starts_ns = (1_000, 71_000, 100_000, 101_000)
    read = tuple(replace(case, started_ns=ns) for case, ns in zip(study.read, starts_ns, strict=True))
    figure = figures(replace(study, read=read))[2]
    assert trials(figure) == [calls[1].trial, calls[3].trial]


def test_figures_read_with_a_caption_an_app_and_the_name_below_the_address(made):
    (shape,) = grids(made["figure6"])
    assert shape.caption == "maple: maple-voice-lte_to_fixed-callee_hangs_up-1"
    assert shape.columns == ("service", "side", "rank", "kind", "far end", "duration s", "packets")
    assert [str(line) for line in shape.rows[0][4]] == ["192.0.2.51 port 3478", "relay6-1.example.com"]
    text = as_markdown(made["figure6"], [shape, shape], "Intervals speak of these phones.")
    title = "# Figure 6: sessions by duration, with host names"
    assert text.startswith(f"{title}\n\nprovenance: modelled\n\nIntervals speak of these phones.\n\n**maple")
    assert "|\n\n**maple" in text
