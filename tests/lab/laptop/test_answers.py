"""Whatever the laptop's agent answers: its model, or `LaptopTrouble` in time; never a traceback, never another type."""

import base64
import hashlib
import json
import random
import time
from ipaddress import IPv4Address
from itertools import islice

import pytest

from lab.clocks.deadlines import AGENT_CLOCK, scaled
from lab.errors import AttemptVoid, LaptopTrouble, NeedsPerson
from lab.laptop.agent_client import AgentLaptop, packed, token_file
from lab.laptop.answers import ANSWERS, LINE_BYTES, Refusal, Unreadable, decoded
from lab.laptop.protocol import Hotspot

HOTSPOT = Hotspot("hot0", IPv4Address("10.42.0.1"))
HELLO = {"sha256": hashlib.sha256(packed()).hexdigest(), "tool": "dumpcap"}
GOOD = {
    "clock": 1_800_000_000_000_000_000,
    "version": {"code": 0, "text": "Dumpcap 4.0"},
    "interfaces": [{"name": "hot0", "addresses": ["10.42.0.1", "fe80::1"]}],
    "neighbours": [{"address": "10.42.0.7", "mac": "02:00:5e:10:00:07", "on": "hot0"}],
    "prepare": {"swept": 0, "awake": True, "hotspot": "the operator's", "idle_timeout": None},
    "start": {"live": True, "said": "File: x"},
    "room": 64_000_000_000,
    "size": 4096,
    "holds": True,
    "stop": {"ran_on": True, "caught_up": False, "code": 0, "said": "Packets captured: 1"},
    "fingerprint": {"size_bytes": 4, "sha256": "0" * 64},
    "stamp": {"sent": [[0, 1, 2], [1, 3, 4]], "failed": ""},
    "coalescing": ["uro"],
}
"""What the agent answers to each operation where all is well."""
USES = {
    "clock": lambda laptop, folder: laptop.read_clock_ns(),
    "version": lambda laptop, folder: laptop.version(),
    "interfaces": lambda laptop, folder: laptop.hotspot(HOTSPOT.address),
    "neighbours": lambda laptop, folder: laptop.neighbours(HOTSPOT),
    "prepare": lambda laptop, folder: laptop.prepare(),
    "start": lambda laptop, folder: laptop.start("t", ["dumpcap"]),
    "room": lambda laptop, folder: laptop.room_kib(),
    "size": lambda laptop, folder: laptop.size_bytes("t"),
    "holds": lambda laptop, folder: laptop.holds("t", "marker"),
    "stop": lambda laptop, folder: laptop.stop("t"),
    "fingerprint": lambda laptop, folder: laptop.fetch("t", folder / "copy"),
    "stamp": lambda laptop, folder: laptop.stamp(HOTSPOT.address, HOTSPOT.address, "text"),
    "coalescing": lambda laptop, folder: laptop.coalescing("hot0"),
}
ODD = [None, True, -1, 1 << 70, 1.5, "", "7", "\ud800", [], {}, [None], {"ok": 1}, "x" * 100_000, [[[[]]]]]
RAW = [
    *(b"", b"null", b"[]", b"7", b'"ok"', b"{}", b'{"ok"', b'{"ok":NaN}', b'{"ok":-Infinity}', b'{"ok":1e999}'),
    *(b"\xff\xfe\x00", b"<html><body>502 Bad Gateway</body></html>", b'{"error":null}', b'{"error":{"ok":1}}'),
    *(b"[" * 100_000, b'{"ok":' * 50_000 + b"1" + b"}" * 50_000, b'{"ok":' + b"9" * 5000 + b"}"),
    *(b'{"ok":null,"ok":[]}\n{"ok":1}', b"Traceback (most recent call last):", b'{"ok": "' + b"A" * 200_000 + b'"}'),
]


def changes(answer):
    """`answer` with one value in it replaced or left out, in every way."""
    yield from ODD
    if isinstance(answer, dict):
        for key, value in answer.items():
            yield {other: kept for other, kept in answer.items() if other != key}
            yield from ({**answer, key: other} for other in changes(value))
    elif isinstance(answer, list):
        for index, value in enumerate(answer):
            yield from ([*answer[:index], other, *answer[index + 1 :]] for other in changes(value))


def odd_answers(seed=15):
    """Operations with lines that nobody expects: each raw one, and as many changed good ones, by chance."""
    chance = random.Random(seed)
    lines = [(chance.choice(list(GOOD)), line) for line in RAW]
    pool = [(op, json.dumps({"ok": other}).encode()) for op, answer in GOOD.items() for other in changes(answer)]
    return [*lines, *chance.sample(pool, 200 - len(lines))]


@pytest.fixture
def agent(tmp_path, monkeypatch):
    """An agent that says hello, then runs these lines of sh when it is asked."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    token_file("b").parent.mkdir(parents=True)
    token_file("b").write_text("secret\n")
    opened = []

    def made(script):
        program = tmp_path / "agent"
        hello = json.dumps({"ok": HELLO})
        program.write_text(f"#!/bin/sh\nread -r l; echo '{hello}'; read -r l; {script}\n")
        program.chmod(0o755)
        opened.append(AgentLaptop([str(program)], str(tmp_path), "b"))
        return opened[-1]

    yield made
    for laptop in opened:
        laptop.close()


def test_two_hundred_odd_answers_are_trouble_or_what_their_operation_promises(agent, tmp_path):
    answers = odd_answers()
    assert (len(answers), {op for op, _ in answers}) == (200, set(GOOD))
    started, troubles = time.monotonic(), []
    for op, line in answers:
        (tmp_path / "line").write_bytes(line + b"\n")
        laptop = agent(f"cat {tmp_path}/line")
        try:
            USES[op](laptop, tmp_path)
        except (LaptopTrouble, AttemptVoid) as error:
            troubles.append(str(error))
        laptop.close()
    assert len(troubles) > 150
    assert [text for text in troubles if "\n" in text or len(text) > 1000] == []
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("op", GOOD)
def test_what_the_agent_answers_where_all_is_well_is_its_model(op):
    found = decoded(op, json.dumps({"ok": GOOD[op]}).encode())
    plain = json.loads(ANSWERS[op].dump_json(found))
    assert plain == GOOD[op]


@pytest.mark.parametrize("op", sorted(set(ANSWERS) - {"remove", "coalescing"}))
def test_no_operation_takes_null_for_an_answer(op):
    with pytest.raises(Unreadable, match=rf"its answer to {op} cannot be read: '.{{0,80}}'"):
        decoded(op, b'{"ok": null}')


def test_every_change_of_a_good_answer_is_the_model_or_unreadable():
    """No process in between, so that all of them are tried."""
    told = 0
    for op, answer in GOOD.items():
        for other in islice(changes(answer), 400):
            line = json.dumps({"ok": other}).encode()
            try:
                assert json.loads(ANSWERS[op].dump_json(decoded(op, line))) is not NotImplemented
            except Unreadable:
                told += 1
    assert told > 300


def test_a_refusal_is_told_in_the_agents_words_and_the_session_goes_on(agent):
    laptop = agent('echo \'{"error": "no such capture"}\'; read -r l; echo \'{"ok": 7}\'')
    with pytest.raises(LaptopTrouble, match="the laptop's agent, size: no such capture"):
        laptop.size_bytes("t")
    assert laptop.size_bytes("t") == 7
    with pytest.raises(Refusal, match="no such capture"):
        decoded("size", b'{"error": "no such capture", "ok": 7}')


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("cat /dev/zero", "does not stop talking|talks on and on"),
        ("while :; do printf x; done", "does not stop talking|talks on and on|says nothing"),
        ("printf '{\"ok\": 1'; sleep 60", r"says nothing for 0\.\d+ s"),
        ("printf '{\"ok\": 1'", "it ends without an answer"),
        ("exec <&- >&- 2>&-; sleep 60", "without an answer|closes its output"),
    ],
)
def test_an_answer_without_an_end_is_trouble_within_its_deadline_also_while_data_flow(agent, script, text):
    laptop = agent(script)
    laptop.tool()
    started = time.monotonic()
    with scaled(0.06), pytest.raises(LaptopTrouble, match=f"no answer to clock: .*({text}).*; see invoke doctor"):
        laptop.read_clock_ns()
    # The answer's deadline, and thrice the time in which an agent may put things back.
    assert time.monotonic() - started < (AGENT_CLOCK.seconds + 3 * 20) * 0.06 + 2


def test_a_file_that_never_ends_is_not_copied_for_ever(agent, tmp_path):
    chunk = base64.b64encode(b"frame").decode()
    told = json.dumps({"ok": {"size_bytes": 1 << 40, "sha256": "0" * 64}})
    laptop = agent(f"echo '{told}'; while read -r l; do echo '{{\"ok\": \"{chunk}\"}}'; done")
    laptop.tool()
    with scaled(0.002), pytest.raises(LaptopTrouble, match=r"t on the laptop: \d+ of 1099511627776 bytes came in time"):
        laptop.fetch("t", tmp_path / "copy")


def test_the_longest_answer_that_is_promised_fits_into_a_line():
    longest = base64.b64encode(b"\xff" * 196_608).decode()
    line = json.dumps({"ok": longest}).encode()
    assert (decoded("read", line), len(line) < LINE_BYTES) == (longest, True)
    with pytest.raises(Unreadable):
        decoded("read", json.dumps({"ok": longest + "AAAAAAAA"}).encode())


def test_an_agent_that_serves_another_directory_than_the_bench_file_says_is_refused(agent, tmp_path):
    laptop = agent("sleep 60")
    program = tmp_path / "agent"
    elsewhere = json.dumps({"ok": {**HELLO, "directory": "C:/captures"}})
    program.write_text(f"#!/bin/sh\nread -r l; echo '{elsewhere}'\n")
    with pytest.raises(NeedsPerson, match=rf"serves C:/captures, the bench file says {tmp_path}; run invoke"):
        laptop.tool()
