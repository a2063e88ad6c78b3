from __future__ import annotations

import re
from html import unescape

import pytest

from correlate.findings.sessions import SessionRow
from correlate.report.trial import NO_AXIS, told, told_of, trial_section, trial_style, trial_summary
from correlate.report.trial.steps import Step, steps
from correlate.report.trial.timeline import MOST_TICKS, WIDTH, Axis, far_end, time_line
from correlate.report.trial.witnesses import witness_lines
from tests import records

S = 10**9
TRIAL = "maple-voice-lte_to_fixed-caller_hangs_up-1"


def section(of):
    return str(trial_section(of.study, of.case, of.dataset))


def lines(html):
    """What a page shows of the list."""
    items = html.partition('<ul class="tr-l">')[2].partition("</ul>")[0].split("<li>")[1:]
    return [" ".join(unescape(re.sub(r"<[^>]+>", "", item)).split()) for item in items]


def test_a_section_shows_what_was_done_found_and_proven(leaky, measured):
    html = section(measured(leaky()))
    assert re.findall(r'<text class="tr-w" [^>]*>([^<]+)', html) == [
        "call", "ring", "answer", "hang up", "ended", "caller", "callee",
    ]  # fmt: skip
    # 33.5 s are 620 units: the caller's session is from 0.5 s to 33 s, the callee's from 1.25 s to 33.1 s.
    assert re.findall(r'<path d="(M\d+ \d+h\d+)"><title>([^<]+)', html) == [
        ("M9 58h602", "203.0.113.90 3478, 32.50 s, 101+91 packets"),
        ("M23 91h590", "203.0.113.90 3478, 31.85 s, 91+97 packets"),
    ]
    assert re.findall(r"z\"><title>([^<]+)", html) == ["frame 5: 203.0.113.7"]
    assert lines(html) == [
        "endpoints given away: caller public; not seen: caller private, callee public, callee private; "
        "route: no conversation",
        "servers caller 1, callee 1; shared 1: 203.0.113.90",
        "duration longest with a server: caller 32.50 s, callee 31.85 s, difference +0.650 s",
        "volume media packets: caller sent 100, received 90; callee sent 90, received 95",
        "service undecided why: no conversation, and no rule for calls without one",
        "signalling user ids on both sides: 0; calling leg: undecided why: no rule for this app",
        "witnesses nobody asked the phones",
        "callee:5 +1.500 s exposes the caller's public address 203.0.113.7 (XOR-PEER-ADDRESS)",
    ]
    assert html.endswith(f"<pre>invoke open-trial {TRIAL} --frame callee:5 --dataset datasets/synthetic</pre>")


def test_the_terminal_is_told_the_same(leaky, measured):
    of = measured(leaky())
    said = [line.strip() for line in told(of.study, of.case, of.dataset)]
    shown = [line.replace(" why: ", ". Why: ") for line in lines(section(of))]
    named = [re.sub(r"^(endpoints|servers|duration|volume|service|signalling) ", r"\1: ", line) for line in shown]
    assert [line for line in named if line not in said] == []
    assert said[:4] == [TRIAL, "+0.000 s  call", "+1.000 s  ring", "+3.000 s  answer"]
    assert told_of(of.dataset, TRIAL) == told(of.study, of.case, of.dataset)


def test_nothing_is_told_of_what_is_not_there(leaky, measured, tmp_path):
    of = measured(leaky())
    assert told_of(of.dataset, "maple-voice-lte_to_fixed-caller_hangs_up-2") == []
    assert told_of(type(of.dataset)(tmp_path / "nowhere"), TRIAL) == []


def test_a_trial_that_cannot_be_read_is_told_with_its_reason(build, leaky, measured):
    of = measured(leaky())
    (of.dataset.path / "trials" / TRIAL / "caller.pcap").write_bytes(b"no capture")
    from correlate import findings

    findings.write(of.dataset, findings.measure_all(of.dataset))
    (line,) = told_of(of.dataset, TRIAL)
    assert line.startswith(f"{TRIAL}: trials/{TRIAL}/caller.pcap: ")


def test_a_summary_says_what_is_given_away(leaky, measured):
    of = measured(leaky())
    assert trial_summary(of.study, of.case) == (f'<code>{TRIAL}</code> <span class="tr-x">1 of 4 addresses</span>')


def test_what_is_undecided_is_shown_as_such_with_its_reason(leaky, measured):
    shown = lines(section(measured(leaky(), addresses=["caller"])))
    # What the capture itself tells of alpha's addresses is seen; what it does not tell, nobody knows.
    assert shown[0] == (
        "endpoints given away: caller public; not seen: callee public, callee private; undecided: caller private; "
        "route: no conversation why: addresses of a phone were not recorded, or are not those of its capture"
    )


def test_without_a_common_clock_there_is_no_time_line_and_the_frames_are_named_all_the_same(leaky, measured):
    of = measured(leaky(), clocks=["callee"])
    html = section(of)
    assert NO_AXIS in html
    assert "<svg" not in html
    assert "callee:5 exposes the caller's public address 203.0.113.7 (XOR-PEER-ADDRESS)" in lines(html)
    assert f"  {NO_AXIS}" in told(of.study, of.case, of.dataset)


def test_what_a_witness_says_stays_text(leaky, measured):
    said = records.open_claim("<script>alert(1)</script>\x1b[31m")
    claims = records.observed(answered={**said, "witnesses": ["caller <b>audio: it rang"]})
    html = section(measured(leaky(claims=claims)))
    assert "undecided: answered, &lt;script&gt;alert(1)&lt;/script&gt; [31m (caller &lt;b&gt;audio)" in html
    assert "<script" not in html


def test_steps_are_read_from_what_may_be_anything(leaky, measured):
    of = measured(leaky())
    path = of.dataset.path / "trials" / TRIAL / "events.jsonl"
    path.write_bytes(
        b'{"at_ns": 7, "event": "ended"}\n\xff\n[]\n{"at_ns": "7", "event": "answer"}\n{"at_ns": 5, "event": []}\n'
        b'{"at_ns": true, "event": "answer"}\n{"event": "answer"}\n{"at_ns": 5, "event": "ringing", "after_s": 1}\n'
    )
    assert steps(of.dataset, TRIAL) == (Step("ring", 5), Step("ended", 7))
    path.unlink()
    assert steps(of.dataset, TRIAL) == ()


def claim(verdict, *witnesses, value=True, reason=None):
    return {"value": value, "verdict": verdict, "witnesses": list(witnesses), "reason": reason}


def test_witnesses_of_both_phones_are_named_once():
    from correlate.dataset.record import Observed

    proven = {"witnesses": ["caller audio: one span", "caller screen: one call", "callee audio: x", "callee tap: y"]}
    claims = records.observed(calls=proven, rang={"witnesses": ["odd"]})
    claims["ended_by"] = claim("refuted", "callee screen: no", value="callee", reason="two do not agree")
    first, second = witness_lines(Observed.model_validate(claims))
    assert first.startswith("proven: calls 1 (both audio; caller screen; callee tap); rang yes (no witness); ")
    assert second == "refuted: ended by, two do not agree (callee screen)"


@pytest.mark.parametrize(
    ("span_s", "labels"),
    [(3, [0, 1, 2, 3]), (7.5, [0, 1, 2, 3, 4, 5, 6, 7]), (8, [0, 2, 4, 6, 8]), (45, [0, 10, 20, 30, 40])],
)
def test_an_axis_has_a_round_number_of_seconds_between_its_ticks(span_s, labels):
    assert [s for _, s in Axis(0, round(span_s * S), 0).ticks()] == labels
    assert len(labels) <= MOST_TICKS


def test_what_lies_before_the_call_has_a_negative_time():
    on = Axis(-4 * S, 6 * S, 0)
    assert on.ticks()[0] == (0, -4)
    assert (on.x(-4 * S), on.x(6 * S), on.seconds(-S)) == (0, WIDTH, "-1.000 s")


def test_a_session_with_many_far_ends_is_named_by_the_first():
    names = {"203.0.113.90": "relay.example"}
    assert far_end("203.0.113.90 port 3478, 203.0.113.91 port 3478", names) == "relay.example 3478 and 1 more"
    assert far_end("203.0.113.91 port 3478", names) == "203.0.113.91 3478"


def test_sessions_beyond_ten_are_counted(leaky, measured):
    of = measured(leaky())
    row: SessionRow = of.case.sessions["caller"][0]
    many = type(of.case)(**{**vars(of.case), "sessions": {"caller": (row,) * 13, "callee": ()}})
    drawn = time_line(many, Axis(row.first_ns, row.last_ns, row.first_ns), [], [], {})
    assert [(lane.side, lane.more) for lane in drawn.lanes] == [("caller", 3), ("callee", 0)]
    assert len(drawn.bars) == 10
    assert drawn.origin == "the first packet"


def test_the_style_has_classes_and_colours_of_its_own_alone():
    style = trial_style()
    assert {name for name in re.findall(r"\.([a-z][\w-]*)", style) if not name.startswith("tr-")} == set()
    assert set(re.findall(r"var\((--\w+)\)", style)) <= {"--ink", "--soft", "--line", "--paper", "--accent"}
    assert not re.search(r"#[0-9a-f]{3,6}\b|url\(|@import", style)


def test_a_section_has_no_style_attribute_and_no_id(leaky, measured):
    html = section(measured(leaky()))
    assert not re.search(r"\b(style|id|href|src|on\w+)=", html)
    assert {
        name for each in re.findall(r'class="([^"]+)"', html) for name in each.split() if name[:3] != "tr-"
    } == set()
