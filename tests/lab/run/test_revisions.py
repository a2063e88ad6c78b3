"""A dataset lives through repairs: which revision of the YAML a run goes by, and when it is another dataset."""

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from correlate import report
from correlate.dataset import Dataset, revisions
from correlate.errors import BadDataset
from lab.clocks.stop import Stop
from lab.definitions import Lab
from lab.errors import BadInput
from lab.run.description import check_fits, create, earlier_hash, scenario_hash
from lab.run.matrix import run_missing
from lab.run.options import Options
from lab.run.plan import Run, prepare
from lab.run.progress import Progress
from lab.run.revisions import in_revision, used_files

SCENARIOS = Path(__file__).parents[3] / "scenarios"
APP = "apps/whatsapp.yaml"


@pytest.fixture
def scenarios(tmp_path) -> Path:
    return Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios"))


def planned(scenarios: Path, **options) -> Run:
    folder = str(scenarios.parent / "d")
    return prepare(Options(matrix="smoke", dataset=folder, scenarios=str(scenarios), **options))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def number(run: Run) -> tuple[int, list[str]]:
    """The revision that a run goes by, and what it says."""
    said: list[str] = []
    (item,) = in_revision(run, [run.planned[0]], said.append)
    return item.revision, said


def refusal(run: Run) -> str:
    with pytest.raises(BadInput) as raised:
        check_fits(run)
    begun = f"{run.dataset.info_path}: this dataset was begun with "
    assert str(raised.value).startswith(begun)
    return str(raised.value).removeprefix(begun).partition("; name another folder")[0]


MENDED = [
    (APP, "com.whatsapp:id/end_call_button", "com.whatsapp:id/end_call"),
    (APP, "seen_on: never", "seen_on: 2.26.1"),
    (APP, "version: 2.25.26.74", "version: 2.26.1.1"),
    (APP, "# WhatsApp.", "# The app."),
    (APP, "dismiss:\n", 'dismiss:\n  - {text: "Not now", seen_on: 2.26.1}\n'),
    ("benches/virtual.yaml", "os: Android 16 (virtual)", "os: Android 17 (virtual)"),
    ("benches/virtual.yaml", "address: 198.51.100.250", "address: 198.51.100.251"),
    ("benches/virtual.yaml", '{app: alder, address: "lab.pixel6"}', '{app: alder, address: "lab.pixel6", title: Lab}'),
    ("virtual/whatsapp.yaml", 'version: "2.25.26.74"', 'version: "2.26.1.1"'),
    ("matrices/smoke.yaml", "name: smoke\n", "\n\nname: 'smoke'\n"),
]


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Run:
    """A dataset's run, whose YAML is read again each time that it is asked for."""
    run = planned(Path(shutil.copytree(SCENARIOS, tmp_path_factory.mktemp("begun") / "scenarios")))
    create(run)
    return run


@contextmanager
def edited(run: Run, file: str, old: str, new: str) -> Iterator[None]:
    path = run.lab.directory / file
    before = path.read_bytes()
    edit(path, old, new)
    yield
    path.write_bytes(before)


@pytest.mark.parametrize(("file", "old", "new"), MENDED, ids=[f"{file} {new}" for file, _, new in MENDED])
def test_what_may_change_leaves_the_dataset_what_it_is(begun, file, old, new):
    before, bytes_before = scenario_hash(begun), earlier_hash(begun)
    with edited(begun, file, old, new):
        check_fits(begun)
        assert scenario_hash(begun) == before
        assert earlier_hash(begun) != bytes_before


OTHERS = [
    ("calls/caller_cancels.yaml", "high_s: 8", "high_s: 8.5", "ring_s.high_s 8, not 8.5"),
    ("calls/caller_cancels.yaml", "within_s: 30", "within_s: 31", "steps.1.within_s 30, not 31"),
    (
        APP,
        "package: com.whatsapp\nversion",
        "package: com.whatsapp.w4b\nversion",
        'package "com.whatsapp", not "com.whatsapp.w4b"',
    ),
    ("benches/virtual.yaml", "idle_s: 5\n", "idle_s: 6\n", "idle_s 5, not 6"),
    ("benches/virtual.yaml", "mtu: 1428", "mtu: 1400", "phones.0.emulation.access.mtu 1428, not 1400"),
    (
        "benches/virtual.yaml",
        "model: Google Pixel 6 Pro",
        "model: Other",
        'phones.1.model "Google Pixel 6 Pro (virtual)", not "Other (virtual)"',
    ),
    (
        "benches/virtual.yaml",
        "      operator: Operator A\n",
        "",
        'phones.0.emulation.operator "Operator A", not nothing',
    ),
    ("matrices/smoke.yaml", "repetitions: 1", "repetitions: 2", "repetitions 1, not 2"),
]


@pytest.mark.parametrize(("file", "old", "new", "text"), OTHERS, ids=[f"{each[0]} {each[2]}" for each in OTHERS])
def test_what_decides_is_another_dataset_by_file_key_and_both_values(begun, file, old, new, text):
    with edited(begun, file, old, new):
        assert refusal(begun) == f"{file}: {text}"


def test_a_refusal_names_three_keys_and_how_many_more(scenarios):
    create(planned(scenarios))
    edit(scenarios / "benches/virtual.yaml", "snaplen_bytes: 640", "snaplen_bytes: 256")
    edit(scenarios / "benches/virtual.yaml", "scene: bright", "scene: dark")
    edit(scenarios / "calls/caller_cancels.yaml", "low_s: 3, high_s: 8", "low_s: 2, high_s: 8.25")
    assert refusal(planned(scenarios)) == (
        'benches/virtual.yaml: phones.0.stimulus.scene "bright", not "dark"; '
        'benches/virtual.yaml: phones.1.stimulus.scene "bright", not "dark"; '
        "benches/virtual.yaml: snaplen_bytes 640, not 256; and 2 more"
    )


def as_an_earlier_version_wrote_it(run: Run) -> None:
    """A dataset.json with a hash over bytes, and no line of the journal about it."""
    create(run)
    info = json.loads(run.dataset.info_path.read_text())
    run.dataset.info_path.write_text(json.dumps(info | {"scenario_hash": earlier_hash(run)}))
    run.dataset.journal.path.unlink()


def test_a_dataset_of_before_goes_on_with_its_bytes_and_with_what_was_mended_of_them(scenarios):
    as_an_earlier_version_wrote_it(run := planned(scenarios))
    check_fits(run)
    edit(scenarios / APP, "com.whatsapp:id/end_call_button", "com.whatsapp:id/end_call")
    check_fits(planned(scenarios))
    edit(scenarios / "benches/virtual.yaml", "idle_s: 5\n", "idle_s: 6\n")
    assert refusal(planned(scenarios)) == "benches/virtual.yaml: idle_s 5, not 6"


def test_a_dataset_of_before_whose_yaml_is_none_any_more_goes_on_with_its_bytes_alone(scenarios):
    edit(scenarios / "calls/caller_cancels.yaml", "answered: false", "answered: false # 1")
    as_an_earlier_version_wrote_it(run := planned(scenarios))
    before = earlier_hash(run)
    (run.dataset.path / "scenarios/calls/caller_cancels.yaml").write_text("name: [")
    check_fits(run)
    edit(scenarios / "calls/caller_cancels.yaml", "# 1", "# 2")
    assert refusal(planned(scenarios)).startswith(f"scenario_hash {before}, not ")


def test_each_revision_is_kept_whole_once_and_has_its_number_again(scenarios):
    create(run := planned(scenarios))
    assert number(run) == (0, [])
    edit(scenarios / APP, "com.whatsapp:id/decline_incoming_call_view", "com.whatsapp:id/decline")
    first = (scenarios / APP).read_bytes()
    assert number(planned(scenarios)) == (
        1,
        [
            "the YAML is another one than in revision 0; it is kept as scenarios/rev-1",
            f'  {APP} reject.0.tap.id "com.whatsapp:id/decline_incoming_call_view" -> "com.whatsapp:id/decline"',
            f'  {APP} signs.incoming.0.id "com.whatsapp:id/decline_incoming_call_view" -> "com.whatsapp:id/decline"',
        ],
    )
    edit(scenarios / APP, "# WhatsApp.", "# The app.")
    assert number(planned(scenarios))[0] == 2
    (scenarios / APP).write_bytes(first)
    assert number(planned(scenarios)) == (1, [])
    shutil.copy(SCENARIOS / APP, scenarios / APP)
    assert number(planned(scenarios)) == (0, [])
    dataset = Dataset(run.dataset.path)
    assert revisions.kept(dataset) == [0, 1, 2]
    assert revisions.texts(dataset, 1, [APP]) == {APP: first}
    assert revisions.record(dataset, 2).model_dump() == {"revision": 2, "before": 1, "files": [APP], "changed": []}
    assert [entry.event for entry in dataset.journal.read()] == ["begun", "revision", "revision"]
    assert dataset.verify() == []


def test_where_nothing_is_missing_no_revision_is_kept(scenarios):
    create(run := planned(scenarios))
    edit(scenarios / APP, "# WhatsApp.", "# The app.")
    assert in_revision(planned(scenarios), [], print) == []
    assert revisions.kept(run.dataset) == [0]


def test_a_revision_is_bound_by_the_journal_like_all_that_is_recorded(scenarios):
    create(run := planned(scenarios))
    edit(scenarios / APP, "# WhatsApp.", "# The app.")
    number(planned(scenarios))
    (run.dataset.path / "scenarios/rev-1" / APP).write_text("name: other")
    assert run.dataset.verify() == [f"scenarios/rev-1/{APP}: differs from the journal, line 2"]
    assert not revisions.is_as_recorded(run.dataset, 1, used_files(run))
    assert revisions.is_as_recorded(run.dataset, 0, used_files(run))


def test_a_revision_whose_keeping_was_killed_is_finished_or_was_never_there(scenarios, monkeypatch):
    create(run := planned(scenarios))
    edit(scenarios / APP, "# WhatsApp.", "# The app.")
    append, replace = type(run.dataset.journal).append, Path.replace

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(run.dataset.journal), "append", killed)
    with pytest.raises(KeyboardInterrupt):
        number(planned(scenarios))
    monkeypatch.setattr(type(run.dataset.journal), "append", append)
    assert (revisions.kept(run.dataset), Dataset(run.dataset.path).verify()) == ([0], [])
    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        number(planned(scenarios))
    monkeypatch.setattr(Path, "replace", replace)
    assert Dataset(run.dataset.path).verify() == []
    Dataset(run.dataset.path).put_right()
    assert (revisions.kept(run.dataset), Dataset(run.dataset.path).verify()) == ([0, 1], [])
    assert number(planned(scenarios)) == (1, [])


def test_a_refused_dataset_is_finished_with_its_latest_revision_which_is_a_lab_of_its_own(scenarios):
    create(run := planned(scenarios))
    edit(scenarios / APP, "# WhatsApp.", "# The app.")
    number(planned(scenarios))
    edit(scenarios / "benches/virtual.yaml", "idle_s: 5\n", "idle_s: 6\n")
    with pytest.raises(BadInput, match=rf"--scenarios {run.dataset.path}/scenarios/rev-1 --bench virtual "):
        check_fits(planned(scenarios))
    own = run.dataset.path / "scenarios/rev-1"
    finishing = prepare(Options(matrix="smoke", dataset=str(run.dataset.path), scenarios=str(own)))
    check_fits(finishing)
    assert number(finishing) == (1, [])
    assert list(Lab.load(run.dataset.path / "scenarios").apps) == ["whatsapp"]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [({"revision": 3}, "revision: must be 1, is 3"), ({"changed": 3}, "changed: must be a list, is 3")],
)
def test_a_revision_that_does_not_fit_is_one_line(scenarios, wrong, text):
    create(run := planned(scenarios))
    edit(scenarios / APP, "# WhatsApp.", "# The app.")
    number(planned(scenarios))
    path = run.dataset.path / "scenarios/rev-1/revision.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | wrong))
    with pytest.raises(BadDataset) as raised:
        revisions.revised(run.dataset)
    assert str(raised.value) == f"scenarios/rev-1/revision.json: {text}"


def complete(scenarios: Path, first: int, last: int) -> list[str]:
    """Runs the planned trials from `first` up to before `last`; what was said."""
    run, out = planned(scenarios), io.StringIO()
    run_missing(run.only(*run.planned[first:last]), Progress(Console(file=out, width=250)), Stop())
    return out.getvalue().splitlines()


def mended_half_way(scenarios: Path, half: int) -> Dataset:
    """A dataset whose first half ran with one selector and whose second with another, computed."""
    complete(scenarios, 0, half)
    edit(
        scenarios / APP,
        "{description: Voice call, seen_on: never}",
        "{class_name: android.widget.ImageButton, description: Voice call, seen_on: never}",
    )
    said = complete(scenarios, half, 2 * half)
    assert f'  {APP} place_call.voice.1.tap.class_name nothing -> "android.widget.ImageButton"' in said
    dataset = Dataset(scenarios.parent / "d")
    report.build(dataset)
    return dataset


def told(dataset: Dataset, half: int) -> None:
    """Both revisions stand in each record, in Table 2 and on the page."""
    run = planned(dataset.path.parent / "scenarios")
    numbers = [dataset.record(item.trial.id).revision for item in run.planned[: 2 * half]]
    assert numbers == [0] * half + [1] * half
    trials = "1 trial" if half == 1 else f"{half} trials"
    markdown, page = (dataset.tables_dir / "table2.md").read_text(), dataset.report_path.read_text()
    assert f"| whatsapp | 0: {trials}; 1: {trials} |" in markdown
    differs = f"{APP} place_call.voice.1.tap.class_name nothing -&gt; &#34;android.widget.ImageButton&#34;"
    assert f"revision 1 (scenarios/rev-1), after revision 0: {differs}; {trials}" in page
    assert f"0: {trials}; 1: {trials}" in (dataset.tables_dir / "table2.csv").read_text()
    assert dataset.verify() == []


def test_a_selector_mended_between_two_trials_is_told_by_both_records_table_2_and_the_page(scenarios):
    told(mended_half_way(scenarios, 1), 1)


@pytest.mark.full
def test_a_selector_mended_after_trial_10_of_20_leaves_one_dataset(scenarios):
    dataset = mended_half_way(scenarios, 10)
    told(dataset, 10)
    assert len(dataset.trial_ids()) == 20


def test_a_revision_has_the_sha256_of_its_files_in_the_journal(scenarios):
    create(run := planned(scenarios))
    edit(scenarios / APP, "# WhatsApp.", "# The app.")
    number(planned(scenarios))
    files = run.dataset.journal.read()[-1].files or {}
    assert len(files) == len(used_files(run)) + 1
    assert files[f"scenarios/rev-1/{APP}"] == hashlib.sha256((scenarios / APP).read_bytes()).hexdigest()
