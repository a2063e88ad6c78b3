"""Changes of a computed dataset that nobody is to get away with: all are noticed, and none is signed."""

import hashlib
import json
import random
import shutil

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from correlate import report
from correlate.dataset import Dataset
from correlate.dataset.anchors import folder_of, is_recorded
from correlate.dataset.contents import files
from tests.correlate.conftest import new_call, write_dataset
from tests.records import record_anew

A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)
JOURNAL, MANIFEST = "journal.jsonl", "manifest-sha256.txt"
CHANGES = 1100


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Three trials with truth and names, void attempts with evidence, the YAML; computed."""
    calls = [new_call(repetition=number) for number in (1, 2, 3)]
    for number, call in enumerate(calls, 1):
        for side, local in ((call.caller, A), (call.callee, B)):
            side.relay(local, RELAY, 0.0)
            side.talk(local, RELAY, 1.0, 11.0, 120 + number, 110)
    source = tmp_path_factory.mktemp("source")
    write_dataset(source, calls)
    dataset = Dataset(tmp_path_factory.mktemp("tampering") / "whole")
    scenarios = {"apps/maple.yaml": "name: maple\n", "matrices/tiny.yaml": "name: tiny\nrepetitions: 3\n"}
    dataset.begin(Dataset(source).info(), scenarios)
    for call in calls:
        with dataset.attempt(call.trial) as folder:
            (folder.path / "callee-screen.xml").write_text(f"<hierarchy>{call.trial}</hierarchy>")
            (folder.path / "callee-logcat.txt").write_text(f"{call.trial}: E/Call: nobody answers\n")
            folder.void("callee_never_rang", "the phone did not ring")
        with dataset.attempt(call.trial) as folder:
            for path in Dataset(source).trial_dir(call.trial).iterdir():
                shutil.copy(path, folder.path)
            (folder.path / "events.jsonl").write_text(f'{{"at_ns": {call.repetition}, "event": "ringing"}}\n')
            folder.truth.parent.mkdir(exist_ok=True)
            folder.truth.write_text(json.dumps({"trial": call.trial, "established": True}))
            folder.complete()
    dataset.write_names({"192.0.2.50": {"name": "relay.example.org", "how": "PTR", "when_ns": 1}})
    report.build(dataset)
    assert dataset.verify() == []
    return dataset


def flip(dataset, name, chance):
    path = dataset.path / name
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    path.write_bytes(bytes(data))


def cut(dataset, name, chance):
    path = dataset.path / name
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def cut_after_a_line(dataset, name, chance):
    path = dataset.path / name
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: chance.randrange(len(lines))]))


def delete(dataset, name, chance):
    path = dataset.path / (folder_of(name) if folder_of(name) and chance.random() < 0.3 else name)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def swap(dataset, name, chance):
    """With another file of its kind that says something else; a file that has none is replaced by nothing."""
    path = dataset.path / name
    others = [each for each in files(dataset.path).values() if each.suffix == path.suffix and each != path]
    other = chance.choice([each for each in others if each.read_bytes() != path.read_bytes()] or [dataset.info_path])
    mine, its = path.read_bytes(), other.read_bytes()
    path.write_bytes(its)
    other.write_bytes(mine)


def falsify(dataset, name, chance):
    """Another content of the same form."""
    path = dataset.path / name
    if path.name == "trial.json":
        record = json.loads(path.read_text())
        record["sides"]["caller"]["app_version"] = f"1.0.{chance.randrange(100)}"
        path.write_text(json.dumps(record))
    elif path.name == "dataset.json":
        path.write_text(json.dumps({**json.loads(path.read_text()), "contact": f"nobody {chance.randrange(100)}"}))
    elif path.suffix == ".pcap":
        flip(dataset, name, chance)
    else:
        path.write_bytes(path.read_bytes() + b"\n")


def forge(dataset, name, chance):
    """A false content after which all agrees with it but the journal: records, what is computed, and the manifest."""
    journal = dataset.journal.path.read_bytes()
    first = dataset.manifest_path.read_text().splitlines()[0]
    falsify(dataset, name, chance)
    if is_recorded(name):
        record_anew(dataset.path)
        report.build(dataset)
        dataset.journal.path.write_bytes(journal)
    there = {each: path for each, path in files(dataset.path).items() if each not in (JOURNAL, MANIFEST)}
    listed = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {each}\n" for each, path in there.items())
    dataset.manifest_path.write_text(f"{first}\n{listed}")


OF_ANY = (flip, cut, delete, swap)
OF_CHAIN = (flip, cut, delete, swap, cut_after_a_line)


def changes(dataset, count):
    """(change, file), each kind of file alike often, though there are many tables and few journals; the journal and the
    manifest two times as often, since more can be done to them."""
    chance = random.Random("tampering")
    kinds = {}
    for name in files(dataset.path):
        top, _, rest = name.partition("/")
        kinds.setdefault(f"{top}/{rest.rpartition('/')[2]}" if top in ("trials", "attempts") else top, []).append(name)
    assert len(kinds) == 21
    turns = [*sorted(kinds), JOURNAL, MANIFEST]
    for number in range(count):
        names = kinds[turns[number % len(turns)]]
        name = chance.choice(names)
        kind = OF_CHAIN if name in (JOURNAL, MANIFEST) else (*OF_ANY, forge)
        yield chance.choice(kind), name


def copied(dataset, folder):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(dataset.path, folder)
    return Dataset(folder)


def contents(dataset):
    return {name: path.read_bytes() for name, path in files(dataset.path).items()}


def exit_code(work):
    try:
        work()
    except Exit as raised:
        return raised.code
    return 0


def check(whole, folder, change, name, chance):
    """That `verify` names it and `correlate` does not sign it: what was recorded is refused and left as it is, what was
    computed is made new."""
    dataset = copied(whole, folder)
    change(dataset, name, chance)
    changed, before = contents(dataset), contents(whole)
    assert changed != before
    differing = {each for each in changed | before if changed.get(each) != before.get(each)}
    problems = dataset.verify()
    assert [each for each in problems if is_about(each, differing)] != []
    code = exit_code(lambda: tasks.correlate(Context(), str(dataset.path)))
    if any(is_recorded(each) or each in (JOURNAL, MANIFEST) for each in differing):
        assert code in (2, 3)
        assert contents(dataset) == changed
    else:
        assert (code, dataset.verify()) == (0, [])
        computed = {each: data for each, data in before.items() if each not in (JOURNAL, MANIFEST)}
        assert {each: data for each, data in contents(dataset).items() if each in computed} == computed


def is_about(problem, differing):
    return any(each in problem or (folder_of(each) and folder_of(each) in problem) for each in differing)


def tried(whole, folder, count):
    chance = random.Random("bytes")
    seen = {}
    for change, name in changes(whole, count):
        try:
            check(whole, folder, change, name, chance)
        except AssertionError as error:
            raise AssertionError(f"{change.__name__} of {name} (number {sum(seen.values())})") from error
        seen[change.__name__] = seen.get(change.__name__, 0) + 1
    return seen


def test_changes_of_every_kind_of_file_are_noticed_and_not_signed(whole, tmp_path):
    assert sum(tried(whole, tmp_path / "changed", 46).values()) == 46


@pytest.mark.full
def test_each_of_1100_changes_is_noticed_and_none_is_signed(whole, tmp_path):
    seen = tried(whole, tmp_path / "changed", CHANGES)
    assert sum(seen.values()) == CHANGES
    assert all(seen[change.__name__] >= 30 for change in (flip, cut, delete, swap, forge, cut_after_a_line))
