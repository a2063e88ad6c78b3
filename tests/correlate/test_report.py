"""What build writes, that it writes the same bytes again, and what the page says."""

import base64
import hashlib
import json
import re
import shutil

import pytest

from correlate import pairs, report
from correlate.dataset import Dataset
from correlate.errors import BadDataset, Damaged
from correlate.report.attempts import troubles
from correlate.report.verdict import verdicts
from correlate.tables.study import Study
from tests.records import record_anew

A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)


def one_call(build, **keys):
    call = build.call(**keys)
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 11.0, 120, 110)
        side.put(2.0, *local, *RELAY, build.stun(build.BINDING, (build.USERNAME, b"abcd:efgh")))
    return call


@pytest.fixture
def built(tmp_path, build):
    build.dataset(tmp_path, [one_call(build)], extra_plan=[build.call(repetition=2)])
    report.build(Dataset(tmp_path))
    return Dataset(tmp_path)


def contents(dataset):
    return {
        path.relative_to(dataset.path).as_posix(): path.read_bytes()
        for path in dataset.path.rglob("*")
        if path.is_file() and "trials" not in path.parts
    }


def test_findings_have_exactly_the_fields_of_truth(built):
    (found,) = report.read_findings(built).values()
    media = {"tx_packets": 120, "rx_packets": 110, "tx_payload_bytes": 12_000, "rx_payload_bytes": 11_000}
    server = {"address": "192.0.2.50", "port": 3478, "name": None}
    assert found == {
        "established": True,
        "routing": "relay",
        "p2p_observed": False,
        "service": "voice",
        "role": None,
        "exposed": {
            "caller_public": False, "caller_private": False, "callee_public": False, "callee_private": False,
        },
        "servers": {"caller": [server], "callee": [server], "shared": [server]},
        "user_ids": ["abcd", "efgh"],
        "media": {"caller": media, "callee": media},
    }  # fmt: skip


def test_the_same_captures_give_the_same_bytes_and_truth_is_not_read(built):
    before = contents(built)
    built.truth_dir.mkdir()
    (built.truth_dir / f"{built.trial_ids()[0]}.json").write_text("{}")
    record_anew(built.path)
    report.build(built)
    after = contents(built)
    assert {name for name in after if after[name] != before.get(name)} == {
        "journal.jsonl", "manifest-sha256.txt", f"truth/{built.trial_ids()[0]}.json",
    }  # fmt: skip


def test_the_page_and_the_tables_are_rendered_from_findings_without_measuring(built, monkeypatch):
    once = contents(built)
    monkeypatch.setattr(pairs, "load", None)
    for path in (built.report_path, built.tables_dir / "table3.csv", built.tables_dir / "table3.md"):
        path.unlink()
    report.render(built)
    again = contents(built)
    assert {name for name in again if again[name] != once[name]} == {"journal.jsonl", "manifest-sha256.txt"}
    rewrite(built, "endpoints.csv", lambda text: text.replace("FALSE", "TRUE"))
    built.reopen()
    built.write_manifest()
    report.render(built)
    assert "caller_public,1,1,0," in (built.tables_dir / "table3.csv").read_text()
    assert "caller_public,0,1,0," in once["tables/table3.csv"].decode()
    assert built.verify() == []


def rewrite(dataset, name, change):
    path = dataset.findings_dir / name
    path.write_text(change(path.read_text()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda dataset: (dataset.findings_dir / "duration.csv").unlink(),
            r"findings/duration\.csv: cannot be read: No such file or directory; correlate first",
        ),
        (
            lambda dataset: (dataset.findings_dir / "link.csv").unlink(),
            r"findings/link\.csv: cannot be read: No such file or directory; correlate first",
        ),
        (
            lambda dataset: rewrite(dataset, "volume.csv", lambda text: text.replace("tcp_tx_payload_bytes", "tcp")),
            r"findings/volume\.csv:2: does not fit: KeyError\('tcp_tx_payload_bytes'\); correlate again",
        ),
        (
            lambda dataset: rewrite(dataset, "service.csv", lambda text: text.replace("reasons", "why")),
            r"findings/service\.csv:2: does not fit: KeyError\('reasons'\); correlate again",
        ),
        (
            lambda dataset: rewrite(dataset, "endpoints.csv", lambda text: text.replace("FALSE", "no")),
            r"findings/endpoints\.csv:2: does not fit: ValueError\(.*'no': neither TRUE nor FALSE.*\); correlate again",
        ),
        (
            lambda dataset: rewrite(dataset, "servers.csv", lambda text: text[: text.rindex(",")]),
            r"findings/servers\.csv:3: does not fit: ValueError\('a row has fewer or more cells .*\); correlate again",
        ),
        (
            lambda dataset: rewrite(dataset, "service.csv", lambda text: text.splitlines()[0] + "\n"),
            r"findings: has no rows of maple-voice-lte_to_fixed-caller_hangs_up-1; correlate again",
        ),
        (
            lambda dataset: rewrite(dataset, "link.csv", lambda text: text.replace("left_out", "left")),
            r"findings/link\.csv: has other columns than these: load, .*, provenance; correlate again",
        ),
        (
            lambda dataset: rewrite(dataset, "link.csv", lambda text: text.splitlines()[0] + "\n"),
            r"findings/link\.csv: is not of the 1 complete trials; correlate again",
        ),
    ],
)
def test_findings_that_are_missing_or_do_not_fit_are_refused_in_one_line_and_nothing_is_touched(built, change, message):
    change(built)
    before = contents(built)
    with pytest.raises(BadDataset, match=message) as caught:
        report.render(built)
    assert "\n" not in str(caught.value)
    assert contents(built) == before


def test_findings_of_a_trial_that_is_not_complete_do_not_fit(built):
    (trial,) = built.trial_ids()
    shutil.rmtree(built.trial_dir(trial))
    with pytest.raises(BadDataset, match=f"findings: has rows of {trial}, which is not complete; correlate again"):
        Study.of(built)


def test_findings_that_were_edited_are_refused_though_they_fit_and_correlate_makes_them_new(built):
    whole = (built.findings_dir / "endpoints.csv").read_bytes()
    rewrite(built, "endpoints.csv", lambda text: text.replace("FALSE", "TRUE"))
    before = contents(built)
    with pytest.raises(Damaged) as caught:
        report.render(built)
    todo = f"{built.path}: nothing is written; correlate computes findings again"
    assert str(caught.value) == f"findings/endpoints.csv: differs from the manifest\n{todo}"
    assert contents(built) == before
    report.build(built)
    assert (built.findings_dir / "endpoints.csv").read_bytes() == whole


def test_without_a_manifest_nobody_knows_what_was_computed_so_findings_are_measured_again(built):
    whole = contents(built)
    rewrite(built, "endpoints.csv", lambda text: text.replace("FALSE", "TRUE"))
    built.reopen()
    report.render(built)
    again = contents(built)
    assert {name for name in again if again[name] != whole[name]} == {"journal.jsonl", "manifest-sha256.txt"}


def test_build_writes_every_table_every_dimension_and_the_manifest(built):
    made = set(contents(built))
    names = [*(f"table{number}" for number in range(1, 9)), *(f"figure{number}" for number in (6, 7, 8)), "claims"]
    assert {name for name in made if name.startswith("tables/")} == {
        f"tables/{name}.{suffix}" for name in names for suffix in ("csv", "md")
    }
    assert {name for name in made if name.startswith("findings/")} == {
        f"findings/{name}.csv"
        for name in (
            "endpoints",
            "servers",
            "duration",
            "volume",
            "service",
            "signalling",
            "link",
            "sessions",
            "wrong_pairs",
        )
    }
    assert {"report.html", "manifest-sha256.txt"} <= made
    assert built.verify() == []


def test_each_finding_has_one_row_a_trial_and_side_and_a_reason_column(built):
    lines = (built.findings_dir / "service.csv").read_text().splitlines()
    keys = ["trial", "app", "service", "direction", "scenario", "repetition", "side", "phone", "app_version"]
    assert lines[0].split(",")[:9] == keys
    assert lines[0].endswith(",reason")
    assert [line.split(",")[6] for line in lines[1:]] == ["caller", "callee"]


def test_names_change_what_is_shared_and_nothing_else_of_the_findings(built):
    names = {"192.0.2.50": {"name": "relay.example.org", "how": "PTR", "when_ns": 1}}
    built.write_names(names)
    report.build(built)
    (found,) = report.read_findings(built).values()
    assert found["servers"]["caller"] == [{"address": "192.0.2.50", "port": 3478, "name": "relay.example.org"}]
    assert report.server_addresses(built) == ["192.0.2.50"]


def test_the_page_says_provenance_first_then_the_verdict_then_the_tables(built):
    page = built.report_path.read_text()
    order = ("provenance: modelled", 'id="verdict"', 'id="troubles"', 'id="table1"', 'id="claims"', 'id="errata"')
    places = [page.index(text) for text in order]
    assert places == sorted(places)
    assert "1 of 2 trials complete" in page
    assert "In conversations: always gives away shared user ids, voice or video." in page
    assert "In every call: always gives away shared servers, matching durations; not decided: who called." in page
    assert "://" not in page.replace("https://doi.org", "")


@pytest.mark.parametrize(
    ("provenance", "said", "beside", "warns"),
    [
        (
            "modelled",
            "Modelled: an emulated bench made this traffic.",
            "This traffic was modelled on the paper: agreement with it is by construction.",
            True,
        ),
        (
            "rehearsed",
            "Rehearsed: real calls of Chromium (libwebrtc) through real NATs and a real TURN server in network "
            "namespaces; the handsets and their apps are emulated: nothing here is about the real apps.</p>",
            "The paper measured the apps, and browsers made these calls in their place: neither agreement nor "
            "difference says anything about an app.</p>",
            True,
        ),
        ("measured", "Measured: real phones made this traffic.", "column evidence.</p>", False),
    ],
)
def test_the_page_says_what_made_the_traffic_and_what_that_means_beside_the_paper(
    tmp_path, build, provenance, said, beside, warns
):
    build.dataset(tmp_path, [one_call(build)], provenance=provenance)
    report.build(Dataset(tmp_path))
    page = Dataset(tmp_path).report_path.read_text()
    box = f'<p class="box{" warn" if warns else ""}"><strong>provenance: {provenance}.</strong> {said}'
    assert (box in page, beside in page) == (True, True)
    label = "rehearsed (calls of browsers, not of the apps)" if provenance == "rehearsed" else provenance
    assert f'<div class="soft">1 of 1 trials, {label}</div>' in page
    # Twelve tables and figures; and linking says it at its end, or why it was not computed.
    assert page.count(f'<div class="soft">provenance: {label}</div>') == 12


def test_the_page_names_the_version_that_was_installed_and_that_the_file_says_another(tmp_path, build):
    call = one_call(build)
    call.caller.version = call.callee.version = "2.99.0.1"
    build.dataset(tmp_path, [call])
    report.build(Dataset(tmp_path))
    page = Dataset(tmp_path).report_path.read_text()
    assert "<h3>maple 2.99.0.1</h3>" in page
    assert "Another version: the app&#39;s file says 1.0, the trials ran with 2.99.0.1." in page


def test_the_page_runs_nothing_and_asks_nobody(built):
    page = built.report_path.read_text()
    (style,) = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in page
    words = ("<script", "<img", "<link", "src=", "@import", "url(", " style=", "onclick")
    assert [word for word in words if word in page] == []


def keep_void(dataset, name, void):
    folder = dataset.attempts_dir / name
    folder.mkdir(parents=True)
    (folder / "void.json").write_text(void if isinstance(void, str) else json.dumps(void))


def test_void_attempts_are_shown_with_their_reasons_and_what_became_of_the_trial(built, tmp_path):
    done, missing = (entry.id for entry in built.plan())
    keep_void(built, f"{done}.0", {"trial": done, "attempt": 0, "reason": "noisy", "text": "<b>900\x1b[31m B/s\u202e"})
    keep_void(built, f"{missing}.1", {"trial": missing, "attempt": 1, "reason": "callee_never_rang", "text": "x" * 400})
    keep_void(built, f"{missing}.0", "no json")
    (built.attempts_dir / f"{missing}.2").symlink_to(tmp_path)
    found = troubles(built)
    assert [(void.trial, void.attempt, void.reason, void.became) for void in found.voids[:3]] == [
        (done, 0, "noisy", "completed later"),
        (missing, 0, "unknown", "not complete"),
        (missing, 1, "callee_never_rang", "not complete"),
    ]
    assert found.voids[0].text == "<b>900 [31m B/s"
    assert found.voids[1].text.startswith(f"attempts/{missing}.0/void.json: is no JSON")
    assert len(found.voids[2].text) == 301
    assert (found.restarts, found.missing) == ({}, (missing,))
    (built.attempts_dir / f"{missing}.2").unlink()
    built.put_right()
    report.build(built)
    page = built.report_path.read_text()
    assert "Void attempts: 3." in page
    assert "<td>&lt;b&gt;900 [31m B/s</td>" in page
    assert "Not complete, and counted nowhere: 1 of 2 trials" in page


def test_captures_that_were_begun_again_are_shown(built):
    (trial, _) = (entry.id for entry in built.plan())
    path = built.trial_dir(trial) / "trial.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "capture_restarts": 2}))
    record_anew(built.path)
    report.build(built)
    assert "begun again because it was too loud before the call: 1</summary>" in built.report_path.read_text()
    assert troubles(built).restarts == {trial: 2}


def test_an_address_that_nobody_explains_forbids_a_not_seen(tmp_path, build):
    call = one_call(build)
    call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, "203.0.113.99")))
    build.dataset(tmp_path, [call])
    report.build(Dataset(tmp_path))
    page = (tmp_path / "report.html").read_text()
    assert (
        '<span class="level unknown">not decided</span>public address in 0, private address in 0 of 1 trials; 1 '
        in page
    )


def test_what_differs_by_direction_is_said_by_direction(tmp_path, build):
    there, back = one_call(build), one_call(build, direction="fixed_to_lte")
    back.caller, back.callee = back.callee, back.caller
    there.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, "203.0.113.7")))
    build.dataset(tmp_path, [there, back])
    report.build(Dataset(tmp_path))
    page = (tmp_path / "report.html").read_text()
    assert "public address in 1, private address in 0 of 2 trials (fixed to lte: 0/1, lte to fixed: 1/1)" in page


def test_strings_of_a_dataset_are_escaped_in_the_page(built):
    info = json.loads(built.info_path.read_text())
    info["name"] = "<script>alert(1)</script>"
    built.info_path.write_text(json.dumps(info))
    record_anew(built.path)
    report.build(built)
    page = built.report_path.read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_dataset_without_trials_still_gives_every_file(tmp_path, build):
    build.dataset(tmp_path, [], extra_plan=[build.call()])
    report.build(Dataset(tmp_path))
    assert Dataset(tmp_path).verify() == []
    assert report.read_findings(Dataset(tmp_path)) == {}
    assert "no trial to tell" in (tmp_path / "report.html").read_text()


def test_what_two_different_calls_show_as_often_is_no_leak_in_the_verdict(tmp_path, build):
    """Both apps' calls share a server in every trial; user ids are those of the call, so wrong pairs have none."""
    calls = []
    for repetition in range(1, 6):
        call = build.call(repetition=repetition)
        for trace, local in ((call.caller, A), (call.callee, B)):
            trace.relay(local, RELAY, 0.0)
            name = f"ab{repetition}{repetition}:cd{repetition}{repetition}".encode()
            trace.put(1.0, *local, *RELAY, build.stun(build.BINDING, (build.USERNAME, name)))
            trace.talk(local, RELAY, 2.0, 12.0, 150, 150)
        calls.append(call)
    build.dataset(tmp_path, calls)
    report.build(Dataset(tmp_path))
    (app,) = verdicts(Study.of(Dataset(tmp_path)))
    told = {leak.what: leak for phase in app.phases for leak in phase.leaks if phase.trials}
    assert told["shared servers"].level == "chance"
    assert told["shared servers"].answer.endswith("; 20 of 20 wrong pairs do too: it does not discriminate")
    assert told["shared user ids"].level == "always"
    assert told["shared user ids"].answer.endswith("; 0 of 20 wrong pairs do too")
    assert "no more than two different calls: shared servers, matching durations" in " ".join(app.headlines)
    assert ">as by chance</span>" in (tmp_path / "report.html").read_text()


def test_durations_of_two_different_sessions_match_nothing(tmp_path, build):
    """Equally long on both sides, with one server in the first call, with two in the second."""
    calls = []
    for repetition, far in ((1, RELAY), (2, ("198.51.100.50", 3478))):
        call = build.call(repetition=repetition)
        for trace, local, server in ((call.caller, A, RELAY), (call.callee, B, far)):
            trace.relay(local, server, 0.0)
            trace.talk(local, server, 2.0, 12.0, 150, 150)
        calls.append(call)
    build.dataset(tmp_path, calls)
    report.build(Dataset(tmp_path))
    (app,) = verdicts(Study.of(Dataset(tmp_path)))
    (told,) = (leak for leak in app.phases[-1].leaks if leak.what == "matching durations")
    assert (told.level, told.answer.split("; ")[0]) == ("sometimes", "1 of 2 trials to within 3 s")
    assert "; 1 whose longest sessions are not the same" in told.answer
    # Of the two wrong pairs one has one server on both sides.
    assert told.answer.endswith("; 1 of 1 wrong pairs do too")


def test_a_service_that_nobody_wrote_down_is_not_decided_in_the_verdict(tmp_path, build):
    build.dataset(tmp_path, [one_call(build, service="unknown")])
    report.build(Dataset(tmp_path))
    (app,) = verdicts(Study.of(Dataset(tmp_path)))
    told = [leak for phase in app.phases if phase.trials for leak in phase.leaks if leak.what == "voice or video"]
    assert [(leak.level, leak.answer) for leak in told] == [("unknown", "service unknown")]


def test_what_was_not_looked_at_as_a_whole_is_not_decided_of_the_phone_that_may_be_in_it(tmp_path, build):
    call = build.call()
    lying = bytearray(build.stun(build.DATA_INDICATION, (0x8022, bytes(8))))
    lying[22:24] = (400).to_bytes(2)
    for side, local in ((call.caller, "100.64.0.7"), (call.callee, "192.168.137.20")):
        side.relay((local, 5000), ("192.0.2.50", 3478), 0.0)
    call.callee.put(2.0, "192.0.2.50", 3478, "192.168.137.20", 5000, bytes(lying))
    build.dataset(tmp_path, [call])
    report.build(Dataset(tmp_path))
    (app,) = verdicts(Study.of(Dataset(tmp_path)))
    caller, callee = app.phases[0].leaks[:2]
    assert caller.question == "Does the callee's network see the caller?"
    assert (caller.level, callee.level) == ("unknown", "never")
    assert (
        caller.answer
        == "public address in 0, private address in 0 of 1 trials; 1 where not everything could be looked at"
    )
    assert callee.answer == "public address in 0, private address in 0 of 1 trials"


def test_what_was_never_compared_or_recorded_is_not_decided_in_the_verdict(tmp_path, build):
    call = one_call(build)
    build.dataset(tmp_path, [call])
    build.forget(tmp_path, call, clocks=["caller"], addresses=["callee"])
    report.build(Dataset(tmp_path))
    (app,) = verdicts(Study.of(Dataset(tmp_path)))
    leaks = {leak.question: leak for phase in app.phases if phase.trials for leak in phase.leaks}
    shared = leaks["Do both sides use the same servers at the same time?"]
    assert (shared.level, shared.answer) == ("unknown", "no trial to tell")
    seen = leaks["Does the caller's network see the callee?"]
    assert seen.level == "unknown"
    assert seen.answer.endswith("of 1 trials; 1 where its addresses were not recorded, or are not those of its capture")


def test_a_trial_that_cannot_be_decided_counts_neither_as_a_yes_nor_as_a_never(tmp_path, build):
    calls = [one_call(build), one_call(build, repetition=2)]
    build.dataset(tmp_path, calls)
    build.forget(tmp_path, calls[0], clocks=["caller"])
    report.build(Dataset(tmp_path))
    (app,) = verdicts(Study.of(Dataset(tmp_path)))
    shared = app.phases[-1].leaks[0]
    answer = "1 of 2 trials do (95%: 9 to 100%); 1 undecided; 1 of 1 wrong pairs do too"
    assert (shared.level, shared.answer) == ("sometimes", answer)


def test_where_one_trial_has_no_shared_server_and_one_is_undecided_there_is_no_never(tmp_path, build):
    calls = [one_call(build), build.call(repetition=2)]
    build.dataset(tmp_path, calls)
    build.forget(tmp_path, calls[0], clocks=["caller"])
    report.build(Dataset(tmp_path))
    (app,) = verdicts(Study.of(Dataset(tmp_path)))
    shared = app.phases[-1].leaks[0]
    assert (shared.level, shared.answer) == ("unknown", "0 of 2 trials do (95%: 0 to 91%); 1 undecided")


def test_what_is_seen_in_every_trial_is_not_said_by_direction(tmp_path, build):
    calls = [one_call(build), one_call(build, direction="fixed_to_lte")]
    for call in calls:
        call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, "203.0.113.7")))
    build.dataset(tmp_path, calls)
    report.build(Dataset(tmp_path))
    (app,) = verdicts(Study.of(Dataset(tmp_path)))
    (seen,) = (leak for leak in app.phases[1].leaks if leak.question == "Does the callee's network see the caller?")
    assert (seen.level, seen.answer) == ("always", "public address in 2, private address in 0 of 2 trials")


def test_a_record_that_does_not_say_where_a_phone_was_captured_gives_null_and_why(tmp_path, build):
    call = one_call(build)
    build.dataset(tmp_path, [call])
    build.forget(tmp_path, call, vantages=["callee"])
    report.build(Dataset(tmp_path))
    (case,) = Study.of(Dataset(tmp_path)).cases
    assert [case.endpoints[side].vantage for side in ("caller", "callee")] == ["interface", None]
    assert case.call.reason == "vantage: where a phone was captured was not recorded"
    assert "vantage: vpn" not in Dataset(tmp_path).report_path.read_text()


def test_the_page_says_which_phones_a_vpn_captured(tmp_path, build):
    calls = [one_call(build), one_call(build, repetition=2)]
    build.dataset(tmp_path, calls)
    path = tmp_path / "trials" / calls[0].trial / "trial.json"
    record = json.loads(path.read_text())
    record["sides"]["callee"]["vantage"] = "vpn"
    path.write_text(json.dumps(record))
    record_anew(tmp_path)
    report.build(Dataset(tmp_path))
    assert "<strong>vantage: vpn.</strong> bravo (1 of 2 trials) captured" in Dataset(tmp_path).report_path.read_text()
    note = "- vantage: of 2 trials a VPN captured bravo in 1: its address is the private one that is seen, and a direct"
    tables = Dataset(tmp_path).tables_dir
    assert [note in (tables / f"{name}.md").read_text() for name in ("table3", "table4")] == [True, False]
