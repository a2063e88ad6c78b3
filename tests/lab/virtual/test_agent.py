"""The agent: JSON-RPC as uiautomator2 speaks it, and unmodified uiautomator2 driving it over the real adb server."""

import asyncio
import base64
import io
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

from lab.definitions import BenchSpec, yaml
from lab.virtual.agent.agent import Agent
from lab.virtual.agent.view import find, hierarchy
from lab.virtual.bench import EmulatedBench
from lab.virtual.handset.windows import Node

SCENARIOS = Path(__file__).parents[3] / "scenarios"
START_NS = 1_767_571_200_000_000_000
BUTTON = Node("android.widget.ImageButton", "app:id/end", "", "End call", (10, 20, 110, 220), True, "org.example.app")
TITLE = Node("android.widget.TextView", "app:id/title", 'A & "B"', "", (0, 0, 1080, 100), False, "org.example.app")
TIMER = Node("android.widget.TextView", "app:id/subtitle", "0:07", "", (0, 100, 1080, 150), False, "org.example.app")


class Screen:
    """A handset that shows what it is told and notes what is done to it."""

    package, screen_on = "org.example.app", True

    def __init__(self) -> None:
        self.shown = [BUTTON, TITLE, TIMER]
        self.done: list[tuple] = []

    def nodes(self):
        return list(self.shown)

    def tap(self, x, y):
        self.done.append(("tap", x, y))

    def swipe(self, *points):
        self.done.append(("swipe", *points))

    def key(self, name):
        self.done.append(("key", name))

    def open_notifications(self):
        self.done.append(("shade",))


@pytest.fixture
def phone(tmp_path):
    bench = EmulatedBench(yaml.read(SCENARIOS / "benches" / "virtual.yaml", BenchSpec), {}, tmp_path)
    bench.begin(key="1/t/0", trial="t", attempt=0, start_ns=START_NS, direct=False)
    made = bench.phones["pixel6"]
    made.handset = Screen()
    made.agent = Agent(made, 9008)
    return made


class Tape:
    """A stream that gives a recorded request and keeps each write."""

    def __init__(self, data: bytes) -> None:
        self.lines = io.BytesIO(data)
        self.written: list[bytes] = []

    async def read_line(self) -> bytes:
        return self.lines.readline()

    async def read_exactly(self, count: int) -> bytes:
        return self.lines.read(count)

    async def write(self, data: bytes) -> None:
        self.written.append(data)


def http(phone, data: bytes) -> list[bytes]:
    tape = Tape(data)
    asyncio.run(phone.agent.serve(tape))
    return tape.written


def rpc(phone, method: str, *params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    (answer,) = http(phone, b"POST /jsonrpc/0 HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(content)}".encode() in head
    return json.loads(content)


def test_ping_answers_pong_and_takes_no_bench_time(phone):
    before = phone.world.now_ns
    request = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
    pong = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\npong"
    assert http(phone, request * 2) == [pong, pong]
    assert phone.world.now_ns == before


def test_another_path_is_404_and_no_http_is_400(phone):
    assert http(phone, b"GET /stop HTTP/1.1\r\n\r\n")[0].startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert http(phone, b"hello\r\n\r\n")[0].startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_call_costs_four_to_fifteen_milliseconds(phone):
    before = phone.world.now_ns
    assert rpc(phone, "exist", {"mask": 1, "text": "0:07"}) == {"jsonrpc": "2.0", "id": 1, "result": True}
    assert 4_000_000 <= phone.world.now_ns - before <= 15_000_000


def test_an_unknown_method_is_an_error_and_noted(phone):
    assert rpc(phone, "makeToast", "x", 1)["error"] == {"code": -32601, "message": "method not found", "data": None}
    assert phone.refused == ["pixel6: agent: makeToast"]


def test_a_missing_object_is_the_error_that_uiautomator2_looks_for(phone):
    error = rpc(phone, "objInfo", {"mask": 1, "text": "nothing"})["error"]
    assert error["code"] == -32002
    assert "uiautomator.UiObjectNotFoundException" in error["message"]


def test_child_selectors_and_unknown_fields_are_refused(phone):
    error = rpc(phone, "exist", {"mask": 1, "text": "a", "childOrSibling": ["child"], "childOrSiblingSelector": [{}]})
    assert "child and sibling selectors are not built" in error["error"]["message"]
    assert "nonsense" in rpc(phone, "exist", {"nonsense": 1})["error"]["message"]
    assert rpc(phone, "exist")["error"]["code"] == -32602
    assert len(phone.refused) == 2


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ({"text": "0:07"}, [TIMER]),
        ({"textContains": "&"}, [TITLE]),
        ({"textStartsWith": "0:"}, [TIMER]),
        ({"textMatches": r"\d{1,2}:\d{2}"}, [TIMER]),
        ({"textMatches": r"\d"}, []),
        ({"description": "End call"}, [BUTTON]),
        ({"descriptionContains": "call"}, [BUTTON]),
        ({"descriptionMatches": "(?i)end.*"}, [BUTTON]),
        ({"descriptionStartsWith": "End"}, [BUTTON]),
        ({"resourceId": "app:id/title"}, [TITLE]),
        ({"resourceIdMatches": ".*title"}, [TITLE, TIMER]),
        ({"className": "android.widget.TextView"}, [TITLE, TIMER]),
        ({"className": "android.widget.TextView", "instance": 1}, [TIMER]),
        ({"className": "android.widget.TextView", "instance": 2}, []),
        ({"clickable": True}, [BUTTON]),
        ({"packageName": "org.example.app", "clickable": False}, [TITLE, TIMER]),
    ],
)
def test_a_selector_finds_what_it_names(selector, found):
    assert find([BUTTON, TITLE, TIMER], {"mask": 1, "childOrSibling": [], **selector}) == found


def test_a_wait_jumps_from_event_to_event_until_it_holds(phone):
    phone.handset.shown = []
    phone.world.after(3_000_000_000, lambda: phone.handset.shown.append(BUTTON))
    before = phone.world.now_ns
    assert asyncio.run(phone.agent.call("waitForExists", [{"description": "End call"}, 10_000])) is True
    assert phone.world.now_ns == before + 3_000_000_000


def test_a_wait_that_is_in_vain_takes_its_time_of_bench_time(phone):
    before = phone.world.now_ns
    assert asyncio.run(phone.agent.call("waitUntilGone", [{"description": "End call"}, 2_500])) is False
    assert phone.world.now_ns == before + 2_500_000_000
    assert asyncio.run(phone.agent.call("waitForExists", [{"text": "0:07"}, 2_500])) is True
    assert phone.world.now_ns == before + 2_500_000_000


def test_gestures_and_keys_reach_the_handset(phone):
    rpc(phone, "click", 60.0, 120)
    rpc(phone, "swipe", 1, 2, 3, 4, 55)
    rpc(phone, "pressKey", "home")
    rpc(phone, "pressKey", "headsethook")
    rpc(phone, "wakeUp")
    rpc(phone, "openNotification")
    taps = [("tap", 60.0, 120.0), ("swipe", 1.0, 2.0, 3.0, 4.0)]
    assert phone.handset.done == [*taps, ("key", "home"), ("key", "headsethook"), ("key", "wakeup"), ("shade",)]


def test_the_hierarchy_is_xml_with_all_nodes_and_escaped_texts():
    root = ElementTree.fromstring(hierarchy([BUTTON, TITLE]).encode())
    nodes = list(root.iter("node"))
    assert [node.get("resource-id") for node in nodes] == ["", "app:id/end", "app:id/title"]
    assert nodes[2].get("text") == 'A & "B"'
    assert nodes[1].get("bounds") == "[10,20][110,220]"
    assert nodes[1].get("clickable") == "true"
    assert '<hierarchy rotation="0" />' in hierarchy([])


def test_a_screenshot_is_a_jpeg_of_the_screens_size(phone):
    image = Image.open(io.BytesIO(base64.b64decode(rpc(phone, "takeScreenshot", 1, 80)["result"])))
    assert (image.format, image.size) == ("JPEG", (1080, 2400))


CLIENT = """
import json, sys
import adbutils, uiautomator2
port, serial = int(sys.argv[1]), sys.argv[2]
client = adbutils.AdbClient("127.0.0.1", port)
client.connect(serial)
d = uiautomator2.connect(client.device(serial))
d.screen_on()
d.press("home")
icon = d(className="android.widget.TextView", clickable=True)
found = {"exists": bool(icon.exists), "info": icon.info["packageName"], "screen": d.info["screenOn"]}
found["gone"] = d(text="never").wait(timeout=1.5)
found["nodes"] = d.dump_hierarchy().count("<node ")
found["size"] = d.screenshot().size
d.swipe(0.5, 0.01, 0.5, 0.6)
d.open_notification()
found["shell"] = d.shell("id -u").output
found["window"] = d.window_size()
try:
    d(text="never").info
except uiautomator2.exceptions.UiObjectNotFoundError:
    found["missing"] = True
d.stop_uiautomator()
print(json.dumps(found))
"""


def test_unmodified_uiautomator2_drives_a_phone_through_the_real_adb_server(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": SCENARIOS.parent}
    with subprocess.Popen([sys.executable, "-m", "lab.virtual"], start_new_session=True, **pipes) as bench:
        config = {"scenarios": str(SCENARIOS), "bench": "virtual", "root": str(tmp_path)}
        bench.stdin.write(json.dumps(config).encode() + b"\n")
        bench.stdin.flush()
        started = json.loads(bench.stdout.readline())
        serial = f"127.0.0.1:{started['phones'][0]['port']}"
        argv = [sys.executable, "-c", CLIENT, str(started["adb_port"]), serial]
        done = subprocess.run(argv, capture_output=True, timeout=30, text=True)
        bench.stdin.write(b'{"op": "end", "truth": null}\n')
        bench.stdin.flush()
        ended = json.loads(bench.stdout.readline())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    nodes = found.pop("nodes")
    assert nodes > 3
    assert found == {
        "exists": True,
        "info": "com.google.android.apps.nexuslauncher",
        "screen": True,
        "gone": False,
        "size": [1080, 2400],
        "shell": "2000\n",
        "window": [1080, 2400],
        "missing": True,
    }
    assert ended["refused"] == []
