"""Two nights on the virtual bench, the second after an update that hides what Messenger gave away: who is told what."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.night import history
from tests.end_to_end.runs import ROOT, invoke

EXPOSED = "exposure: {unanswered: caller, conversation: all}"
HIDDEN = "exposure: {unanswered: none, conversation: all}"
VERSION, NEXT = "526.0.0.52.108", "527.0.0.40.61"
MATRIX = """name: nightly
apps: [messenger]
services: [voice, video]
scenarios: [caller_cancels]
repetitions: 2
"""
LOCAL = """notify:
  - {name: hook, kind: webhook, url: "http://127.0.0.1:PORT/night"}
  - {name: alive, kind: ping, url: "http://127.0.0.1:PORT/ended", begin_url: "http://127.0.0.1:PORT/begun"}
"""


@pytest.fixture
def heard() -> Iterator[tuple[int, list[tuple[str, dict]]]]:
    """The port of a server on this machine, and what it was asked: path and JSON."""
    asked: list[tuple[str, dict]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, {}))
            self._answer()

        def do_POST(self) -> None:
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self._answer()

        def _answer(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, asked
        server.shutdown()
        thread.join()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.full
def test_an_update_that_hides_a_leak_is_told_the_same_night_and_its_return_as_opened(tmp_path: Path, heard) -> None:
    port, asked = heard
    scenarios, nights = tmp_path / "scenarios", tmp_path / "nights"
    shutil.copytree(ROOT / "scenarios", scenarios)
    (scenarios / "matrices/nightly.yaml").write_text(MATRIX)
    edit(scenarios / "benches/virtual.yaml", "kind: virtual\n", "kind: virtual\nlocal: virtual.local.yaml\n")
    (scenarios / "benches/virtual.local.yaml").write_text(LOCAL.replace("PORT", str(port)))
    virtual, app = scenarios / "virtual/messenger.yaml", scenarios / "apps/messenger.yaml"
    command = ("nightly", "--matrix", "nightly", "--nights", str(nights), "--scenarios", str(scenarios))

    first = invoke(*command)
    assert (first.returncode, first.stderr) == (0, "")
    edit(virtual, EXPOSED, HIDDEN)
    edit(virtual, VERSION, NEXT)
    edit(app, VERSION, NEXT)
    second = invoke(*command)
    assert second.returncode == 7, second.stderr
    edit(virtual, HIDDEN, EXPOSED)
    third = invoke(*command)
    assert third.returncode == 6, third.stderr

    lines = history.read(nights / "history.jsonl")
    assert (lines.problems, [night.verdict for night in lines.nights]) == ((), [0, 7, 6])
    cell = "seen/caller_public/messenger/caller_cancels"
    assert [(night.cells[cell].yes, night.cells[cell].of) for night in lines.nights] == [(8, 8), (0, 8), (8, 8)]
    # A cell that was told as gone opens by one sighting: it is confirmed by as many fresh trials as the matrix has.
    again = [night.cells[cell].again for night in lines.nights]
    assert (again[:2], again[2] and (again[2].yes, again[2].of)) == ([None, None], (8, 8))
    records = [json.loads((nights / night.dataset / "night.json").read_text()) for night in lines.nights]
    assert [record["verdict"] for record in records] == [0, 7, 6]
    assert [record["complete"] for record in records] == [8, 8, 8]
    assert [[each["why"] for each in record["sent"]] for record in records] == [[""] * 3] * 3
    (gone,) = [each for each in records[1]["told"] if each["cell"] == cell]
    assert (gone["kind"], gone["loud"]) == ("not_seen_any_more", True)
    assert f"messenger on pixel6 and pixel6pro {VERSION} -> {NEXT}" in gone["sentence"]
    assert [record["calls"] for record in records] == [{"messenger": 8}, {"messenger": 8}, {"messenger": 16}]
    assert records[1]["compared"]["exit_code"] == 7
    assert "opened" in {each["kind"] for each in records[2]["told"] if each["cell"] == cell}
    failed = ElementTree.parse(nights / lines.nights[1].dataset / "junit.xml").findall(".//failure")
    assert gone["sentence"] in {each.get("message") for each in failed}

    assert [path for path, _ in asked] == ["/begun", "/night", "/ended"] * 3
    messages = [message for path, message in asked if path == "/night"]
    assert [message["verdict"] for message in messages] == [0, 7, 6]
    assert gone["sentence"] in messages[1]["text"]
    assert all("15555550101" not in message["text"] and "127.0.0.1" not in message["text"] for message in messages)
