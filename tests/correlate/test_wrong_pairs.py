"""findings/wrong_pairs.csv: legs of two trials side by side, measured like those of one."""

import json
from types import SimpleNamespace

import pytest

from correlate import findings, report
from correlate.dataset import Dataset
from correlate.errors import BadDataset
from correlate.findings import wrong_pairs
from correlate.findings.cases import cases
from correlate.findings.wrong_pairs import Call, Leg, chosen, crossed, crossed_cases, read
from tests.records import record_anew

A, B, RELAY, OTHER = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478), ("192.0.2.51", 3478)
SECOND_NS = 1_000_000_000


def conversation(build, repetition, seconds, packets, relays=(RELAY, RELAY), **keys):
    """A relayed call with a user id of its own, of this length and with so many packets each way at the callee; the
    caller has 10 more and lasts a second longer."""
    call = build.call(repetition=repetition, **keys)
    name = (build.USERNAME, f"abc{repetition}:efg{repetition}".encode())
    ends = ((call.caller, A, relays[0], seconds + 1, packets + 10), (call.callee, B, relays[1], seconds, packets))
    for side, local, relay, length, count in ends:
        side.relay(local, relay, 0.0)
        side.talk(local, relay, 1.0, float(length), count, count)
        side.put(0.5, *local, *relay, build.stun(build.BINDING, name))
    return call


def edited(root, trial, change):
    """Makes the record of a written trial another one."""
    path = root / "trials" / trial / "trial.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    record_anew(root)


def measured(root):
    dataset = Dataset(root)
    findings.write(dataset, findings.measure_all(dataset))
    return {(each.caller_trial[-1], each.callee_trial[-1]): each for each in read(dataset)}


def entry(scenario="caller_hangs_up", repetition=1, **keys):
    known = {
        "app": "maple",
        "service": "voice",
        "direction": "lte_to_fixed",
        "caller": "alpha",
        "callee": "bravo",
    } | keys
    name = "-".join((known["app"], known["service"], known["direction"], scenario, str(repetition)))
    return SimpleNamespace(id=name, scenario=scenario, **known)


def call(is_conversation=True, **keys):
    return Call(entry(**keys), is_conversation, True, None, {})


def named(calls, seed="1"):
    return [(caller.entry.id, callee.entry.id, paired) for caller, callee, paired in chosen(calls, seed)]


def test_each_ordered_pair_of_repetitions_is_a_wrong_pair_and_nothing_else_is():
    others = [{"app": "oak"}, {"service": "video"}, {"direction": "fixed_to_lte"}, {"scenario": "callee_hangs_up"}]
    calls = [call(repetition=number) for number in (1, 2, 3)]
    calls += [call(**keys, repetition=number) for keys in others for number in (1, 2)]
    made = named(calls)
    same = "maple-voice-lte_to_fixed-caller_hangs_up-"
    assert [pair for pair in made if pair[0].startswith(same)] == [
        (f"{same}{caller}", f"{same}{callee}", "repetitions")
        for caller, callee in ((1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2))
    ]
    assert len(made) == 6 + 4 * 2
    assert all(caller[:-1] == callee[:-1] != caller for caller, callee, _ in made)


def test_a_trial_without_repetition_is_paired_over_scenarios_that_are_conversations_like_it():
    calls = [
        call(scenario="caller_hangs_up"),
        call(scenario="callee_hangs_up", repetition=1),
        call(scenario="callee_hangs_up", repetition=2),
        call(scenario="caller_cancels", is_conversation=False),
        call(scenario="caller_hangs_up", service="video"),
    ]
    assert [(caller[25:], callee[25:], paired) for caller, callee, paired in named(calls)] == [
        ("caller_hangs_up-1", "callee_hangs_up-1", "scenarios of one kind"),
        ("caller_hangs_up-1", "callee_hangs_up-2", "scenarios of one kind"),
        ("callee_hangs_up-1", "callee_hangs_up-2", "repetitions"),
        ("callee_hangs_up-2", "callee_hangs_up-1", "repetitions"),
    ]


def test_scenarios_of_which_nobody_knows_whether_they_are_conversations_are_of_no_kind():
    calls = [call(is_conversation=None), call(is_conversation=None, scenario="callee_hangs_up")]
    assert named(calls) == []
    assert len(named([call(), call(scenario="callee_hangs_up")])) == 2


@pytest.mark.parametrize(("asked", "pairs"), [({}, 2), ({"ring_s": 9.0}, 0), ({"ring_s": 9.0, "talk_s": 20.0}, 2)])
def test_the_kind_of_a_scenario_is_what_the_phones_showed_and_else_what_the_wire_shows(tmp_path, build, asked, pairs):
    """Both calls have a conversation on the wire, and of one nobody wrote down whether it was answered."""
    calls = [conversation(build, 1, 11, 120), conversation(build, 2, 11, 120, scenario="callee_hangs_up", **asked)]
    build.dataset(tmp_path, calls)
    assert [each.paired for each in measured(tmp_path).values()] == ["scenarios of one kind"] * pairs


def test_other_phones_are_another_matter():
    assert named([call(), call(repetition=2, callee="charlie")]) == []


def test_of_many_repetitions_each_caller_meets_six_drawn_by_the_seed():
    calls = [call(repetition=number) for number in range(1, 31)]
    made = named(calls)
    assert len(made) == len(set(made)) == 30 * 6
    assert all(caller != callee for caller, callee, _ in made)
    assert made == named(calls) != named(calls, seed="2")
    assert len(named(calls[:7])) == 7 * 6
    assert {callee for _, callee, _ in made} == {each.entry.id for each in calls}


def test_a_wrong_pair_has_the_callers_leg_of_one_trial_and_the_callees_of_the_other(tmp_path, build):
    build.dataset(tmp_path, [conversation(build, 1, 11, 120), conversation(build, 2, 16, 200)])
    found = measured(tmp_path)
    assert found.keys() == {("1", "2"), ("2", "1")}
    pair = found["1", "2"]
    # From the Allocate at 0; an Allocate, its answer and a check beside the media.
    assert pair.caller == Leg(12 * SECOND_NS, None, 132, 131, 132, 131)
    assert pair.callee == Leg(16 * SECOND_NS, None, 202, 201, 202, 201)
    assert found["2", "1"].caller == Leg(17 * SECOND_NS, None, 212, 211, 212, 211)
    assert found["2", "1"].callee == Leg(11 * SECOND_NS, None, 122, 121, 122, 121)
    assert (pair.paired, pair.aligned) == ("repetitions", "begin markers")
    assert [server.address for server in pair.shared] == ["192.0.2.50"]
    assert pair.user_ids == ()
    assert pair.reason == "p2p: no direct conversation with packets both ways on alpha and bravo"


def test_a_trial_beside_itself_has_the_values_of_its_findings(tmp_path, build):
    """The code that measures wrong pairs, without packets, is that of trials: a direct session and all."""
    call = conversation(build, 1, 11, 120)
    for side, local, remote in ((call.caller, A, ("198.51.100.20", 6000)), (call.callee, B, ("203.0.113.7", 5000))):
        side.talk(local, remote, 3.0, 8.0, 60, 60)
    build.dataset(tmp_path, [call])
    measured(tmp_path)
    dataset = Dataset(tmp_path)
    (case,) = cases(dataset).read
    of = findings.measure(dataset, call.trial, dataset.info().apps)
    one = Call(dataset.plan()[0], of.is_conversation, of.marked, of.pair, dict(of.sides))
    found = wrong_pairs.measure(one, one, "", {})
    timed, counted = case.duration, case.volume
    assert found.shared == case.servers["caller"].shared != ()
    assert found.user_ids == case.signalling["caller"].user_ids == ("abc1", "efg1")
    rules = ("longest_relay", "best_match", "p2p")
    identities = [found.longest_relay_identity, found.best_match_identity, found.p2p_identity]
    assert identities == [timed["caller"].under(rule).identity for rule in rules]
    assert found.caller.p2p_duration_ns == 5 * SECOND_NS
    for side, leg in (("caller", found.caller), ("callee", found.callee)):
        relayed, longest = counted[side].relayed, counted[side].longest_relay
        assert leg == Leg(
            timed[side].best_match.duration_ns,
            timed[side].p2p.duration_ns,
            relayed.tx_packets,
            relayed.rx_packets,
            longest.tx_packets,
            longest.rx_packets,
        )


def later(record, clocks=("caller", "callee")):
    """The clocks of a trial were an hour behind the controller's."""
    for name in clocks:
        for reading in ("before", "after"):
            record["clocks"][name][reading]["offset_ns"] -= 3600 * SECOND_NS


def test_the_callees_leg_is_shifted_so_that_both_begin_markers_coincide(tmp_path, build):
    calls = [conversation(build, 1, 11, 120), conversation(build, 2, 16, 200)]
    calls[1].callee.offset_ns = 5 * SECOND_NS
    build.dataset(tmp_path, calls)
    edited(tmp_path, calls[1].trial, later)
    found = measured(tmp_path)
    assert [bool(each.shared) for each in found.values()] == [True, True]
    dataset = Dataset(tmp_path)
    of = [findings.measure(dataset, each.trial, dataset.info().apps) for each in calls]
    first, second = (Call(None, True, True, each.pair, dict(each.sides)) for each in of)
    pair = crossed(first, second, {})
    begins = [side.clock.to_controller(side.window_ns[0]) for side in (pair.a, pair.b)]
    assert begins == [build.T0_NS - SECOND_NS] * 2
    assert second.pair.b.clock.to_controller(pair.b.window_ns[0]) == build.T0_NS + 3599 * SECOND_NS
    assert (pair.a.phone, pair.b.phone) == ("alpha", "bravo")
    assert pair.b.clock.bound_ns == second.pair.b.clock.bound_ns


def test_a_server_that_the_other_call_uses_only_later_is_not_shared(tmp_path, build):
    early, late = conversation(build, 1, 11, 120), conversation(build, 2, 16, 120)
    for side in (late.caller, late.callee):
        side.packets = [(at_s + 30.0, *rest) for at_s, *rest in side.packets]
    build.dataset(tmp_path, [early, late])
    assert [each.shared for each in measured(tmp_path).values()] == [(), ()]


def test_names_make_twins_of_servers_in_wrong_pairs_too(tmp_path, build):
    calls = [conversation(build, number, 11, 120, (RELAY, OTHER)) for number in (1, 2)]
    names = {
        address: {"name": f"relay{six}-tpe.example.org", "how": "PTR", "when_ns": 1}
        for address, six in ((RELAY[0], "6"), (OTHER[0], ""))
    }
    analysis = {"relay_ports": [3478], "twins": r"(relay)6?-([a-z]{3})\.example\.org"}
    build.dataset(tmp_path, calls, analysis=analysis)
    assert [each.shared for each in measured(tmp_path).values()] == [(), ()]
    (tmp_path / "names.json").write_text(json.dumps(names))
    assert [[server.name for server in each.shared] for each in measured(tmp_path).values()] == [
        ["relay6-tpe.example.org"]
    ] * 2


def test_without_markers_the_first_packets_are_aligned_and_without_clocks_nothing_is(tmp_path, build):
    calls = [conversation(build, number, 11, 120) for number in (1, 2)]
    build.dataset(tmp_path, calls)
    edited(tmp_path, calls[1].trial, lambda record: record.update(markers=None))
    assert [each.aligned for each in measured(tmp_path).values()] == ["first packets"] * 2
    build.forget(tmp_path, calls[0], clocks=["callee"])
    found = measured(tmp_path)
    assert (found["1", "2"].aligned, bool(found["1", "2"].shared)) == ("first packets", True)
    assert (found["2", "1"].aligned, found["2", "1"].shared) == ("a clock was never compared", None)
    assert found["2", "1"].reason.startswith("shared: a clock was never compared; p2p: ")


def test_a_trial_that_cannot_be_read_has_no_wrong_pair(tmp_path, build):
    calls = [conversation(build, number, 11, 120) for number in (1, 2, 3)]
    build.dataset(tmp_path, calls)
    path = Dataset(tmp_path).capture(calls[1].trial, "callee")
    path.write_bytes(path.read_bytes()[:-7])
    record_anew(tmp_path)
    assert measured(tmp_path).keys() == {("1", "3"), ("3", "1")}


def test_as_a_case_each_side_is_of_its_own_trial_and_what_relates_them_is_the_wrong_pairs(tmp_path, build):
    build.dataset(tmp_path, [conversation(build, 1, 11, 120), conversation(build, 2, 16, 200)])
    measured(tmp_path)
    dataset = Dataset(tmp_path)
    read_cases = cases(dataset).read
    first, second = read_cases
    (made, back) = crossed_cases(read(dataset), read_cases, {})
    assert (made.caller, made.callee, back.caller) == (first, second, second)
    case = made.as_case
    assert (case.endpoints["caller"], case.endpoints["callee"]) == (
        first.endpoints["caller"],
        second.endpoints["callee"],
    )
    assert case.volume["caller"].media == first.volume["caller"].media
    assert case.volume["callee"].media == second.volume["callee"].media
    sizes = [case.volume[side].longest_relay.tx_packets for side in ("caller", "callee")]
    lengths = [case.duration[side].under("best_match").duration_ns for side in ("caller", "callee")]
    assert (sizes, lengths) == ([132, 202], [12 * SECOND_NS, 16 * SECOND_NS])
    assert (first.signalling["caller"].user_ids, case.signalling["caller"].user_ids) == (("abc1", "efg1"), ())
    assert crossed_cases(read(dataset), [first], {}) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("aligned", "level", 1), r"wrong_pairs\.csv:2: does not fit: KeyError\('aligned'\)"),
        (lambda text: text[: text.rindex(",")], r"wrong_pairs\.csv:3: .*'a row has fewer or more cells .*; correlate"),
        (lambda text: text.replace(",132,", ",many,"), r"wrong_pairs\.csv:2: .*caller_relayed_tx_packets: 'many'"),
        (lambda text: text.replace("up-2", "up-7"), r"has rows of .*up-7, which is not complete; correlate again"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_line(tmp_path, build, change, message):
    build.dataset(tmp_path, [conversation(build, 1, 11, 120), conversation(build, 2, 16, 200)])
    measured(tmp_path)
    path = tmp_path / "findings/wrong_pairs.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(BadDataset, match=message):
        read(Dataset(tmp_path))


def test_a_file_that_is_not_there_is_named(tmp_path, build):
    build.dataset(tmp_path, [conversation(build, 1, 11, 120)])
    report.build(Dataset(tmp_path))
    assert read(Dataset(tmp_path)) == ()
    (tmp_path / "findings/wrong_pairs.csv").unlink()
    with pytest.raises(
        BadDataset, match=r"wrong_pairs\.csv: cannot be read: No such file or directory; correlate first"
    ):
        report.render(Dataset(tmp_path))
