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


BUDGETS = """budgets:
  hours: HOURS
  sims: [{name: pixel6, data_plan: {mb: MB, per: day}, sim_expires: 2099-12-31}]
"""


@pytest.mark.full
def test_what_hours_and_a_data_plan_leave_is_made_by_the_nights_after(tmp_path: Path) -> None:
    scenarios, nights = tmp_path / "scenarios", tmp_path / "nights"
    shutil.copytree(ROOT / "scenarios", scenarios)
    (scenarios / "matrices/nightly.yaml").write_text(
        MATRIX.replace("[voice, video]", "[voice]").replace("caller_cancels", "caller_hangs_up")
    )
    edit(scenarios / "benches/virtual.yaml", "kind: virtual\n", "kind: virtual\nlocal: virtual.local.yaml\n")
    local = scenarios / "benches/virtual.local.yaml"
    command = ("nightly", "--matrix", "nightly", "--nights", str(nights), "--scenarios", str(scenarios))

    def night(hours: str, mb: str) -> dict:
        local.write_text(BUDGETS.replace("HOURS", hours).replace("MB", mb))
        ended = invoke(*command)
        assert (ended.returncode, ended.stderr) == (0, "")
        newest = max(nights.glob("*/night.json"), key=lambda path: path.stat().st_mtime_ns)
        return json.loads(newest.read_text())

    # A trial is expected to take 71 s of bench time and 0.65 MB, and takes about 0.5 MB; a fifth is counted on top.
    first = night("0.02", "100")
    assert (first["planned"], first["complete"], len(first["left"])) == (4, 1, 3)
    assert first["why_left"] == ["3 trials are left: they would end after the 0.02 hours of a night (budgets)"]
    second = night("8", "2")
    assert (second["dataset"], second["complete"], len(second["left"])) == (first["dataset"], 2, 2)
    assert "2 trials are left: the data plan of pixel6, 2 MB a day, would be exceeded; it is" in second["why_left"][0]
    third = night("8", "100")
    assert (third["dataset"], third["complete"], third["left"], third["why_left"]) == (first["dataset"], 4, [], [])

    (line,) = history.read(nights / "history.jsonl").nights
    captured = {path.parent.name: path for path in nights.glob("*/dataset/trials/*/trial.json")}
    sides = [side for path in captured.values() for side in json.loads(path.read_text())["sides"].values()]
    assert line.spent is not None
    for phone in ("pixel6", "pixel6pro"):
        of_phone = [each for each in line.spent if each.phone == phone]
        used = sum(max(side["bytes"], side["app_bytes"] or 0) for side in sides if side["phone"] == phone)
        assert sum(each.data_bytes for each in of_phone) == used
        assert sum(each.calls for each in of_phone) == 4
    assert (line.batteries["pixel6"].level, line.batteries["pixel6"].health) == (87, "good")
