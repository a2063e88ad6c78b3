"""What each figure draws of a study whose numbers are known: places, counts, and what is left out."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from correlate.dataset import Dataset
from correlate.dataset.record.analysis import GENERIC
from correlate.errors import BadDataset
from correlate.link import COLUMNS
from correlate.report.figures.bench import bench
from correlate.report.figures.clocks import clocks
from correlate.report.figures.control import share, steps
from correlate.report.figures.durations import durations
from correlate.report.figures.exposure import exposure
from correlate.report.figures.linking import linking
from correlate.report.figures.matrix import matrix
from correlate.report.figures.rate import rate
from correlate.report.figures.sources import Linked, Sources, bench_file, linked_rows
from correlate.report.figures.trials import trials
from correlate.report.figures.user_ids import dump, user_ids

VOICE, VIDEO = "maple-voice-lte_to_fixed-caller_hangs_up", "maple-video-lte_to_fixed-caller_hangs_up"
CANCELLED = "maple-voice-lte_to_fixed-caller_cancels-1"


def says(figure):
    return [part.partition("</p>")[0] for part in str(figure.html).split('<p class="fg-say">')[1:]]


def picked(figure, **keys):
    return [row for row in figure.rows if all(row[key] == value for key, value in keys.items())]


def test_a_trial_stands_at_its_duration_and_its_difference_filled_where_it_was_answered(small, look):
    """The axes go from 0 to 40 s over 206 units and from 0 to 2 s over 170 units."""
    assert look.dots(look.panel(small.figures["duration"], "maple")) == {
        f"{VOICE}-1": (203.7, 115.0, "fg-d"),
        f"{VOICE}-2": (203.7, 30.0, "fg-d"),
        f"{VIDEO}-1": (203.7, 157.5, "fg-d"),
        CANCELLED: (64.6, 157.5, "fg-o"),
    }


def test_as_many_dots_as_trials_count(small, look):
    durations, media = (small.figures[name] for name in ("duration", "media"))
    counted = {name: sum(len(look.dots(look.parsed(svg))) for _, svg in each.svgs)
               for name, each in {"duration": durations, "media": media}.items()}  # fmt: skip
    assert counted == {"duration": 5, "media": 4}
    assert (len(durations.rows), len(media.rows), len(small.figures["clocks"].rows)) == (5, 4, 15)


def test_a_trial_that_the_study_leaves_out_is_not_drawn_as_if_it_counted(small, look):
    study = replace(small.study, out={f"{VOICE}-2": "is no call"})
    assert f"{VOICE}-2" not in {row["trial"] for row in durations(study).rows}
    (row,) = picked(trials(study, small.sources), trial=f"{VOICE}-2")
    assert (row["state"], row["why"]) == ("left out", "is no call")


def test_a_difference_far_from_all_others_leaves_the_axis_and_is_told(small, look):
    def longer(case, by_ns):
        caller = case.duration["caller"]
        timing = replace(caller.longest_relay, duration_ns=caller.longest_relay.duration_ns + by_ns)
        return replace(case, duration={**case.duration, "caller": replace(caller, longest_relay=timing)})

    read = [case for case in small.study.read if case.app == "maple"]
    more = [replace(case, trial=f"{case.trial}{number}") for number in range(1, 5) for case in read]
    made = durations(replace(small.study, read=(longer(read[0], 600 * 10**9), *read[1:], *more)))
    assert picked(made, trial=f"{VOICE}-1")[0]["drawn"] == "no"
    assert f"{VOICE}-1" not in look.dots(look.panel(made, "maple"))
    assert says(made)[1] == (
        "maple: median difference 0.75 s, 19 of 20 trials within 3 s; 1 outside of the axis, the farthest +601.0 s."
    )


def test_the_sentences_say_the_median_and_how_many_match(small):
    assert says(small.figures["duration"]) == [
        "birch: median difference 1.00 s, 1 of 1 trials within 3 s.",
        "maple: median difference 0.75 s, 4 of 4 trials within 3 s.",
    ]


@pytest.mark.parametrize(
    ("what", "phase", "counts"),
    [
        ("caller&#39;s address", "before anyone answers", (1, 1, 0, None, None, "always")),
        ("callee&#39;s address", "before anyone answers", (0, 1, 0, None, None, "never")),
        ("voice or video", "before anyone answers", (0, 1, 1, None, None, "undecided")),
        ("voice or video", "in conversations", (2, 3, 0, None, None, "sometimes")),
        ("same user ids", "in conversations", (3, 3, 0, 0, 2, "always")),
        ("same servers", "in every call", (4, 4, 0, 2, 2, "always")),
        ("same duration", "in every call", (4, 4, 0, 2, 2, "always")),
    ],
)
def test_a_cell_counts_trials_and_beside_them_wrong_pairs(small, what, phase, counts):
    (row,) = picked(small.figures["matrix"], what=what.replace("&#39;", "'"), phase=phase, app="maple")
    assert tuple(row[key] for key in ("n", "total", "undecided", "wrong_pairs_n", "wrong_pairs", "level")) == counts


def test_a_cell_shows_its_count_its_chance_and_its_undecided_trials(small, look):
    root = look.panel(small.figures["matrix"], "apps-1")
    cells = {look.said(each): each.get("class") for each in look.every(root, "rect")}
    one = "maple, in conversations: same user ids in 3 of 3 trials; 0 of 2 wrong pairs"
    other = "maple, before anyone answers: voice or video in 0 of 1 trials, 1 undecided"
    assert (cells[one], cells[other]) == ("fg-all", "fg-open")
    assert {"3/3", "(0 %)", "1 ?", "4 ?", "(100 %)"} <= set(look.texts(root))


def test_what_enough_wrong_pairs_show_as_well_is_no_more_than_chance(small):
    (wrong, _) = small.study.wrong_pairs
    many = replace(small.study, wrong_pairs=(wrong,) * 12)
    (row,) = picked(matrix(many), what="same servers", app="maple")
    assert (row["level"], row["wrong_pairs_n"], row["wrong_pairs"], row["discriminates"]) == ("chance", 12, 12, "no")


def test_an_app_without_a_trial_is_not_said_to_give_nothing_away(small):
    study = replace(small.study, read=tuple(case for case in small.study.read if case.app == "maple"))
    assert says(matrix(study))[0] == "birch: no trial counts yet."


def test_undecided_trials_stand_in_their_cell(small, look):
    first, *others = small.study.read
    callee = replace(first.endpoints["callee"], exposed_public=None)
    study = replace(small.study, read=(replace(first, endpoints={**first.endpoints, "callee": callee}), *others))
    root = look.panel(exposure(study), "maple")
    assert look.texts(root).count("1 ?") == 1
    (cell,) = (each for each in look.every(root, "rect") if "1 undecided" in look.said(each))
    assert cell.get("class") == "fg-open"


def test_an_address_is_counted_by_scenario_side_and_role(small):
    found = {
        (row["scenario"], row["side"], row["role"]): (row["n"], row["total"])
        for row in picked(small.figures["exposure"], app="maple")
    }
    assert found["caller_cancels", "caller", "public"] == (1, 1)
    assert {counts for key, counts in found.items() if key != ("caller_cancels", "caller", "public")} == {
        (0, 1),
        (0, 3),
    }


def test_the_papers_counts_stand_in_brackets_below_ours_direction_by_direction(small, look):
    row = {"app": "maple", "scenario": "caller_cancels", "direction": "lte_to_fixed", "measure": "caller_public",
           "n": 6, "of": 7}  # fmt: skip
    study = replace(small.study, paper={**small.study.paper, "table3": [row]})
    made = exposure(study)
    assert "1/1" in look.texts(look.panel(made, "maple"))
    assert "[6/7]" not in look.texts(look.panel(made, "maple"))  # the paper has no directions of a call nobody answered
    study = replace(study, paper={**study.paper, "table3": [{**row, "direction": "all"}]})
    assert "[6/7]" in look.texts(look.panel(exposure(study), "maple"))


def test_a_conversation_stands_at_what_was_sent_and_what_arrived(small, look):
    """Both axes go from 10^4 to 10^6 over 202 units: 15 000 stand 0.176 of two decades from the left."""
    found = look.dots(look.panel(small.figures["media"], "maple"))
    assert found[f"{VOICE}-1"] == (65.8, 217.2, "fg-o")
    assert found[f"{VIDEO}-1"] == (166.8, 113.2, "fg-d")
    (row,) = picked(small.figures["media"], trial=f"{VOICE}-2")
    assert (row["sent_bytes"], row["received_bytes"], row["lost_share"]) == (15_000, 12_000, pytest.approx(0.2))


def test_a_rate_on_the_wrong_side_of_the_threshold_is_hollow(small, look):
    found = look.dots(look.panel(small.figures["rate"], "apps-1"))
    assert (found[f"{VOICE}-1"][2], found[f"{VIDEO}-1"][2]) == ("fg-d", "fg-o")
    assert says(small.figures["rate"])[1].startswith("maple: told rightly in 2 of 3 conversations, 0 undecided; a coin")


def test_thresholds_that_differ_stand_at_each_app(small, look):
    assert look.texts(look.panel(small.figures["rate"], "apps-1")).count("threshold 20k") == 1
    apps = dict(small.study.info.apps)
    apps["birch"] = apps["birch"].model_copy(update={"analysis": GENERIC.model_copy(update={"video_bytes_per_s": 300})})
    made = rate(replace(small.study, info=small.study.info.model_copy(update={"apps": apps})))
    assert [text for text in look.texts(look.panel(made, "apps-1")) if text.startswith("threshold")] == [
        "threshold 300",
        "threshold 20k",
    ]


def test_the_share_of_true_and_of_wrong_pairs_is_printed(small, look):
    assert says(small.figures["control"]) == [
        "birch: within 3 s are 100 % of 1 true pairs; there is no wrong pair to compare with.",
        "maple: within 3 s are 100 % of 4 true pairs and 100 % of 2 wrong pairs, which is chance.",
    ]
    wrong = picked(small.figures["control"], pair="wrong")
    assert {(row["caller_trial"][-1], row["callee_trial"][-1], row["difference_s"]) for row in wrong} == {
        ("1", "2", 2.0),
        ("2", "1", 1.0),
    }


def test_a_distribution_goes_up_at_each_value_and_ends_at_its_share_within_the_axis():
    """Two of four values are within the axis of 10 s over 180 units; 170 units are 100 %."""
    assert steps([1.0, 5.0, 11.0, 12.0]) == "M40 200H58V157.5H130V115H220"
    assert (share([1.0, 5.0, 11.0, 12.0], 3.0), share([1.0, 3.0, 11.0], 3.0)) == (25.0, pytest.approx(66.67, abs=0.01))


POINTS = [
    Linked(score, load, skew_s, load * 142, 20, share, share - 0.1, min(1.0, share + 0.1), 3, "copies of calls")
    for score, shares in {
        "all dimensions": (1.0, 0.9, 0.8, 0.3),
        "only duration": (1.0, 0.5, 0.4, 0.1),
        "start only": (0.9, 0.4, 0.1, 0.0),
    }.items()
    for (load, skew_s), share in zip([(1, 0.0), (10, 0.0), (100, 0.0), (100, 5.0)], shares, strict=True)
]  # fmt: skip


def test_each_line_of_linking_ends_at_its_name_and_last_share(look):
    made = linking(Sources(linked=tuple(POINTS)))
    root = look.panel(made, "load")
    assert {"all dimensions 80", "duration 40"} <= set(look.texts(root))
    line = next(each for each in look.every(root, "path") if each.get("class") == "fg-lk")
    assert line.get("d") == "M48 30L114 49L180 68"
    assert says(made) == [
        "With 100 calls in progress (14200 an hour) all dimensions rank the true partner first for 80.0 % of 20 legs; "
        "by chance it is 0.007 %.",
        "Assumes: copies of calls; learned on the other apps only; 3 trials left out.",
    ]
    assert [name for name, _ in made.svgs] == ["load", "baselines", "skew"]


def test_names_of_lines_that_end_at_one_place_do_not_stand_on_each_other(look):
    same = [replace(each, precision_at_1=0.0) for each in POINTS]
    root = look.panel(linking(Sources(linked=tuple(same))), "load")
    places = sorted(float(each.get("y")) for each in look.every(root, "text") if each.text.endswith(" 0"))
    assert places == [209.0, 224.0]


def test_a_link_csv_that_is_no_numbers_is_bad_input(small, tmp_path):
    (tmp_path / "findings").mkdir()
    row = {**dict.fromkeys(COLUMNS, ""), "load": "x", "app": "all"}
    text = ",".join(COLUMNS) + "\n" + ",".join(row.values()) + "\n"
    (tmp_path / "findings/link.csv").write_text(text)
    with pytest.raises(BadDataset, match="does not fit"):
        linked_rows(Dataset(tmp_path))


def test_the_bytes_of_a_user_id_are_marked_in_both_captures(small, look):
    rows = picked(small.figures["user_ids"], app="maple")
    assert [(row["side"], row["frame"], row["offset"], row["user_id"], row["hex"]) for row in rows] == [
        ("caller", 15, 52, "abm1", "61626d31"),
        ("caller", 15, 57, "efg1", "65666731"),
        ("callee", 15, 52, "abm1", "61626d31"),
        ("callee", 15, 57, "efg1", "65666731"),
    ]
    html = str(small.figures["user_ids"].html)
    marked = [part.partition("</mark>")[0] for part in html.split('<mark class="fg-hit">')[1:]]
    assert marked[:4] == ["61", "62", "6d", "31"]
    assert len(marked) == 4 * 2 * 8
    assert says(small.figures["user_ids"])[1] == (
        "maple: 3 of 4 trials show the same user ids on both sides, 0 undecided; by chance (legs of two different "
        "calls) 0 of 2."
    )


def test_a_dump_shows_the_bytes_around_a_mark_and_no_more():
    data = bytes(range(256)) + b"abcd" + bytes(100)
    lines = ["".join(text for text, _ in parts) for parts in dump(data, [(256, "abcd")])]
    assert lines == [
        "00f8  f8 f9 fa fb fc fd fe ff  ........",
        "0100  61 62 63 64 00 00 00 00  abcd....",
        "0108  00 00 00 00 00 00 00 00  ........",
    ]
    assert len(dump(bytes(5000), [(0, "\0"), (4000, "\0")])) == 12


def test_a_frame_that_is_not_in_its_capture_is_told(small, look):
    missing = Sources(no_frames={f"{VOICE}-1": "has no frame 15"})
    made = user_ids(small.study, missing)
    assert made.svgs == ()
    assert f"the bytes of {VOICE}-1 could not be read (has no frame 15)" in says(made)[1]


BENCH = {"phones": [{"name": "alpha", "capture": "tcpdump", "emulation": {"access": {"nat": "per_flow"}}},
                    {"name": "bravo", "capture": "dumpcap", "network": "fixed"}]}  # fmt: skip


def test_the_bench_shows_each_phones_way_and_where_it_was_captured(small, look):
    study = replace(small.study, read=())
    made = bench(study, Sources(bench=BENCH))
    keys = ("phone", "network", "nat", "captured_by", "captured_at")
    assert [tuple(row[key] for key in keys) for row in made.rows] == [
        ("alpha", "lte", "per_flow", "tcpdump", "interface"),
        ("bravo", "fixed", None, "dumpcap", "hotspot"),
    ]
    alpha, bravo = (look.texts(look.panel(made, name)) for name in ("alpha", "bravo"))
    assert {"NAT, an address a flow", "captured here", "by tcpdump"} <= set(alpha)
    assert {"not recorded", "hotspot of the laptop", "Laptop"} <= set(bravo)
    assert "hotspot of the laptop" not in alpha


@pytest.mark.parametrize("text", ["phones: [", "[" * 400, "- a list", "phones: 3\nlaptop: []\n"])
def test_a_bench_file_that_does_not_fit_leaves_its_facts_out(small, tmp_path, text):
    (tmp_path / "scenarios/benches").mkdir(parents=True)
    (tmp_path / "scenarios/benches/virtual.yaml").write_text(text)
    made = bench(small.study, Sources(bench=bench_file(Dataset(tmp_path), "virtual")))
    assert {(row["nat"], row["captured_by"]) for row in made.rows} == {(None, None)}


def test_a_clocks_bounds_are_a_dot_each_and_a_clock_that_nobody_compared_is_told(small, look):
    assert says(small.figures["clocks"])[1] == (
        "In 0 of 5 trials the clocks cannot tell the difference of durations from none."
    )
    first, *others = small.study.read
    unknown = {side: replace(each, bound_ns=None, duration_bound_ns=None) for side, each in first.duration.items()}
    made = clocks(replace(small.study, read=(replace(first, duration=unknown), *others)))
    assert says(made)[-1] == "In 1 of 5 trials a clock was never compared."
    assert len(look.every(look.panel(made, "bounds"), "circle")) == 12


def test_every_planned_trial_is_a_square_and_what_is_not_complete_links_nowhere(small, look):
    made = small.figures["trials"]
    squares = [each for _, svg in made.svgs for each in look.every(look.parsed(svg), "rect")]
    assert len(squares) == 6
    (missing,) = picked(made, state="missing")
    assert missing["trial"] == "maple-voice-lte_to_fixed-caller_cancels-2"
    assert f"#trial-{missing['trial']}" not in str(made.html)
    assert says(made) == [
        "Of 6 planned trials: 5 count, 1 are not complete; 0 void attempts before or instead of them."
    ]


def test_a_void_attempt_is_told_with_its_reason(small):
    void = SimpleNamespace(trial="maple-voice-lte_to_fixed-caller_cancels-2", reason="too_loud", text="3 restarts")
    (row,) = picked(trials(small.study, Sources(voids=(void,))), state="void")
    assert (row["trial"], row["why"], row["void_attempts"]) == (void.trial, "too_loud: 3 restarts", 1)


def test_a_conversation_that_nobody_answered_is_void_and_in_no_cell(small, look):
    first, *others = small.study.read
    study = replace(small.study, read=(replace(first, answered=False, answered_by="observed"), *others))
    assert picked(trials(study, small.sources), trial=first.trial)[0]["state"] == "void"
    assert first.trial not in {row["trial"] for row in durations(study).rows}


def test_what_was_captured_by_hand_has_figures_too(tmp_path, build, look):
    """No scenario, no service, no clock, no recorded address."""
    call = look.conversation(build, 30.0, scenario="unknown", service="unknown")
    build.dataset(tmp_path, [call])
    build.forget(tmp_path, call, clocks=("caller", "callee"), addresses=("caller", "callee"), vantages=("caller",))
    found = look.drawn(tmp_path).figures
    assert says(found["clocks"])[-1] == "In 1 of 1 trials a clock was never compared."
    assert found["clocks"].svgs == ()
    assert json.dumps([row["undecided"] for row in picked(found["exposure"], side="caller")]) == "[1, 1]"
