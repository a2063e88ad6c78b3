"""The phone's log and its buffer of events: what is dumped, and what is streamed while it comes."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from lab.definitions import Lab
from lab.virtual.bench import EmulatedBench
from lab.virtual.commands.tables import of_emulated_phone
from lab.virtual.files import SHELL_UID
from lab.virtual.shell.interpreter import Interpreter
from lab.virtual.shell.machine import Streams
from lab.virtual.shell.terminal import Buffer, Text

S = 1_000_000_000
START_NS = 1_767_571_200 * S
HEAD = "--------- beginning of events\n"


class Client:
    """Whoever waits for a shell; it stays until `gone` is set."""

    def __init__(self) -> None:
        self.gone, self.parked = asyncio.Event(), asyncio.Event()

    async def park(self) -> None:
        self.parked.set()

    async def hung_up(self) -> None:
        await self.gone.wait()


@pytest.fixture
def bench(tmp_path):
    lab = Lab.load(Path(__file__).parents[3] / "scenarios")
    made = EmulatedBench(lab.bench("virtual"), lab.virtual_apps, tmp_path)
    made.begin(key="1/t/0", trial="t", attempt=0, start_ns=START_NS, direct=False)
    return made


@pytest.fixture
def phone(bench):
    return bench.phones["pixel6"]


def shell(bench, phone, client: Client, out: Buffer) -> Interpreter:
    streams = Streams(Text(b""), out, out)
    return Interpreter(phone, of_emulated_phone(phone, bench.network), SHELL_UID, streams, client)


def said(bench, phone, script: str) -> str:
    out = Buffer()
    asyncio.run(shell(bench, phone, Client(), out).run(script))
    return bytes(out.data).decode()


def epoch(phone, at_ns: int) -> str:
    clock_ms = phone.clock_at(at_ns) // 1_000_000
    return f"{clock_ms // 1000:>15}.{clock_ms % 1000:03}"


def test_a_dump_has_the_lines_of_the_asked_tags_since_an_instant_of_the_phones_clock(bench, phone):
    history = phone.handset.history
    history.log_event("input_cancel", "a (server)", "reason=test")
    bench.advance(S)
    history.log_event("input_cancel", "b (server)", "reason=test")
    history.log_event("notification_enqueue", "1", "2", pid=1_144)
    mark = epoch(phone, bench.world.now_ns).strip()
    line = f"{epoch(phone, bench.world.now_ns)}  1603  2595 I input_cancel: [b (server),reason=test]\n"
    other = f"{epoch(phone, bench.world.now_ns)}  1144  2136 I notification_enqueue: [1,2]\n"
    asked = f"logcat -d -b events -v epoch -T {mark}"
    assert said(bench, phone, f"{asked} -s input_cancel input_interaction") == HEAD + line
    assert said(bench, phone, asked) == HEAD + line + other
    whole = said(bench, phone, "logcat -d -b events -v epoch | head -n 3").splitlines()
    assert [row.split()[-1] for row in whole[:2]] == ["events", "1"]
    assert " screen_toggled: 1" in whole[1]


def test_lines_stand_in_the_phones_zone_where_no_epoch_is_asked_for(bench, phone):
    phone.handset.history.log_event("input_cancel", "x")
    # Its clock is about 2.4 s fast, and two hours ahead of UTC.
    assert said(bench, phone, "logcat -d -b events -s input_cancel").splitlines()[1].startswith("01-05 02:00:0")


def test_the_buffer_is_a_ring(bench, phone):
    for number in range(2_100):
        phone.handset.history.log_event("input_cancel", str(number))
    lines = said(bench, phone, "logcat -d -b events").splitlines()
    assert [len(lines), lines[1].split()[-1], lines[-1].split()[-1]] == [2_001, "100", "2099"]


def test_a_stream_has_what_was_there_and_each_line_as_it_comes(bench, phone):
    history = phone.handset.history
    history.log_event("input_cancel", "early")

    async def main() -> tuple[str, str, str, int]:
        client, out = Client(), Buffer()
        mark = epoch(phone, bench.world.now_ns).strip()
        script = f"logcat -b events -v epoch -T {mark} -s input_cancel 2>&1"
        running = asyncio.create_task(shell(bench, phone, client, out).run(script))
        await client.parked.wait()
        began, now_ns = bytes(out.data).decode(), bench.world.now_ns
        history.log_event("input_cancel", "late")
        history.log_event("notification_enqueue", "other")
        bench.advance(S)
        grown = bytes(out.data).decode()
        client.gone.set()
        assert await running == 0
        history.log_event("input_cancel", "after")
        return began, grown, bytes(out.data).decode(), now_ns

    began, grown, at_last, now_ns = asyncio.run(main())
    assert began == f"{HEAD}{epoch(phone, START_NS)}  1603  2595 I input_cancel: early\n"
    assert grown == f"{began}{epoch(phone, now_ns)}  1603  2595 I input_cancel: late\n"
    assert at_last == grown
    assert history.on_log == []


@pytest.mark.parametrize("script", ["logcat", "logcat -b radio -d", "logcat -d -v brief", "logcat -b events -T 5"])
def test_what_is_not_built_is_refused(bench, phone, script):
    said(bench, phone, script)
    assert len(phone.refused) == 1


def test_a_stamp_is_the_clocks_of_its_own_time(tmp_path):
    lab = Lab.load(Path(__file__).parents[3] / "scenarios")
    bench = EmulatedBench(lab.bench("virtual"), lab.virtual_apps, tmp_path)
    bench.fail_next("clock", "pixel6", by_ns=3_600 * S, after_ns=5 * S)
    bench.begin(key="1/t/0", trial="t", attempt=0, start_ns=START_NS, direct=False)
    phone = bench.phones["pixel6"]
    for _ in range(2):
        phone.handset.history.log_event("input_cancel", "x")
        bench.advance(6 * S)
    first, second = said(bench, phone, "logcat -d -b events -s input_cancel").splitlines()[1:]
    assert [first[:9], second[:9]] == ["01-05 02:", "01-05 03:"]


def test_a_phone_has_a_boot_id_of_its_own_as_linux_draws_them(bench, phone):
    (other,) = (one for one in bench.phones.values() if one is not phone)
    ids = [said(bench, one, "cat /proc/sys/kernel/random/boot_id") for one in (phone, phone, other)]
    assert ids[0] == ids[1] != ids[2]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n", ids[0])


def test_date_tells_the_zone_and_uptime_what_has_passed(bench, phone):
    seconds, zone = said(bench, phone, "date '+%s %z'").split()
    assert (zone, int(seconds)) == ("+0200", phone.clock_ns() // S)
    assert said(bench, phone, "date -u +%H:%M; date +%H:%M") == "00:00\n02:00\n"
    bench.advance(1_234_567_890)
    assert said(bench, phone, "cat /proc/uptime") == "259201.23 1814408.61\n"


def test_packages_are_asked_for_by_user_and_dumps_by_time_limit(bench, phone):
    assert said(bench, phone, "pm list packages -U --user 0 com.whatsapp") == "package:com.whatsapp uid:10247\n"
    mode = "- Actual mode = MODE_NORMAL\n"
    assert said(bench, phone, "dumpsys -t 3 audio 2>&1 | grep -a -A 1 -E 'Actual mode|nothing' | head -c 28") == mode
    assert said(bench, phone, "cmd appops get com.example.alder RECORD_AUDIO").startswith("RECORD_AUDIO: allow")
    assert phone.refused == []
