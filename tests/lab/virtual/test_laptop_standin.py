"""The laptop's programs: started by argv like the real ones, with the bench's time, clock and frames behind them."""

import asyncio
import hashlib
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from lab.definitions import BenchSpec, yaml
from lab.virtual.bench import EmulatedBench
from lab.virtual.commands.networktext import addresses_text
from lab.virtual.standin import program

BENCH = Path(__file__).parents[3] / "scenarios" / "benches" / "virtual.yaml"
START_NS = 1_767_571_200_000_000_000


def with_bench(tmp_path, talk):
    """Run `talk(bench, start)` on a bench without apps; `start(*argv)` starts a program of its laptop."""

    async def main():
        bench = EmulatedBench(yaml.read(BENCH, BenchSpec), {}, tmp_path)
        prefix = await bench.standins.start()
        bench.begin(key="1/t/0", trial="t", attempt=0, start_ns=START_NS, direct=False)
        running = []

        async def start(*argv):
            pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
            running.append(await asyncio.create_subprocess_exec(*prefix, *argv, **pipes))
            return running[-1]

        try:
            return await asyncio.wait_for(talk(bench, start), 20)
        finally:
            for one in running:
                if one.returncode is None:
                    one.kill()
                await one.communicate()
            await bench.standins.close()

    return asyncio.run(main())


async def line(program, text: str) -> bytes:
    program.stdin.write(text.encode() + b"\n")
    return await program.stdout.readline()


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """The blocks of a pcapng file: type and body."""
    found = []
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert data[length - 4 : length] == struct.pack("<I", length)
        found.append((kind, data[8 : length - 4]))
        data = data[length:]
    return found


def test_a_persistent_bash_answers_line_by_line_and_each_line_takes_bench_time(tmp_path):
    async def talk(bench, start):
        shell = await start("bash")
        before = bench.world.now_ns
        assert await line(shell, 'mkdir -p /captures/x && echo "T:$?"') == b"T:0\n"
        assert bench.world.now_ns > before
        assert (tmp_path / "laptop/captures/x").is_dir()
        assert await line(shell, "uname -sr") == b"Linux 6.1.0\n"
        assert await line(shell, "ip -o addr | head -n 1") == (
            b"1: wlan1    inet 192.168.137.1/24 brd 192.168.137.255 scope global wlan1\n"
        )
        assert await line(shell, "nosuch 2>&1; true") == b"bash: nosuch: command not found\n"
        assert bench.laptop.refused == ["laptop: nosuch"]
        shell.stdin.close()
        assert await shell.wait() == 0

    with_bench(tmp_path, talk)


def test_the_laptops_clock_is_wrong_by_what_the_ledger_was_told(tmp_path):
    async def talk(bench, start):
        clock = await start("bash", "-c", "while read -r l; do echo $EPOCHREALTIME; done")
        told = []
        bench.laptop.clock._on_read = lambda who, offset_ns: told.append((who, offset_ns, bench.world.now_ns))
        seconds, micros = (await line(clock, "")).split(b".")
        ((who, offset_ns, at_ns),) = told
        assert who == "laptop"
        assert int(seconds) * 10**9 + int(micros) * 1000 == (at_ns + offset_ns) // 1000 * 1000
        assert START_NS < at_ns < bench.world.now_ns < START_NS + 700_000
        assert 100_000_000 < abs(offset_ns) < 3_000_000_000

    with_bench(tmp_path, talk)


def test_a_capture_is_in_the_file_when_bench_time_has_moved_on(tmp_path):
    async def talk(bench, start):
        (tmp_path / "laptop/captures").mkdir(parents=True, exist_ok=True)
        dumpcap = await start("dumpcap", "-q", "-i", "wlan1", "-s", "256", "-w", "/captures/c.pcapng")
        assert await dumpcap.stderr.readline() == b"Capturing on 'wlan1'\n"
        file = tmp_path / "laptop/captures/c.pcapng"
        bench.advance(200_000_000)
        await bench.world.settle()
        assert await dumpcap.stderr.readline() == b"File: /captures/c.pcapng\n"
        for word in ("begin", "end"):
            bench.network.send_udp("pixel6pro", *marker(word), 1_000_000_000)
        bench.advance(2_000_000_000)
        await bench.world.settle()
        assert b"im-call-lab n1 begin" in file.read_bytes()
        assert b"im-call-lab n1 end" in file.read_bytes()
        dumpcap.send_signal(signal.SIGINT)
        rest = (await dumpcap.stderr.read()).decode()
        assert await dumpcap.wait() == 0
        found = blocks(file.read_bytes())
        packets = [body for kind, body in found if kind == 6]
        assert rest.splitlines()[0] == f"Packets captured: {len(packets)}"
        assert rest.splitlines()[1].startswith(
            f"Packets received/dropped on interface 'wlan1': {len(packets)}/0 (pcap:0/"
        )
        assert [kind for kind, _ in found if kind != 6] == [0x0A0D0D0A, 1, 5]

    with_bench(tmp_path, talk)


def test_a_filtered_capture_leaves_another_client_out_and_counts_what_it_took(tmp_path):
    async def talk(bench, start):
        (tmp_path / "laptop/captures").mkdir(parents=True, exist_ok=True)
        mac = bench.network.datapath.accesses["pixel6pro"].mac
        found = {}
        for name, words in {"all": [], "one": ["-f", f"ether host {mac}"]}.items():
            bench.begin(key="1/t/0", trial="t", attempt=0, start_ns=START_NS, direct=False)
            file = tmp_path / f"laptop/captures/{name}.pcapng"
            dumpcap = await start("dumpcap", "-q", "-i", "wlan1", *words, "-s", "256", "-w", f"/captures/{file.name}")
            await dumpcap.stderr.readline()
            bench.advance(60_000_000_000)
            await bench.world.settle()
            dumpcap.send_signal(signal.SIGINT)
            said = (await dumpcap.stderr.read()).decode()
            packets = [body for kind, body in blocks(file.read_bytes()) if kind == 6]
            assert f"Packets captured: {len(packets)}\n" in said
            found[name] = [body[20:] for body in packets]
        own = bytes.fromhex(mac.replace(":", ""))
        assert found["one"] == [frame for frame in found["all"] if own in (frame[:6], frame[6:12])]
        assert len(found["all"]) - len(found["one"]) == sum(b"_airplay" in frame for frame in found["all"]) > 10
        for words in (["-f", "udp"], ["-f", f"ether host {mac} or udp"]):
            refused = await start("dumpcap", "-q", "-i", "wlan1", *words, "-w", "/captures/x.pcapng")
            assert await refused.communicate() == (b"", b"dumpcap: built with -f 'ether host MAC' only\n")

    with_bench(tmp_path, talk)


def test_the_laptop_knows_its_hotspots_clients_and_asks_for_them(tmp_path):
    async def talk(bench, start):
        async def said(*argv):
            program = await start(*argv)
            out, _ = await program.communicate()
            return program.returncode, out.decode().splitlines()

        access, other = bench.network.datapath.accesses["pixel6pro"], bench.network.others["pixel6pro"]
        shown = [
            f"{other.address} lladdr {other.mac} STALE",
            f"{access.ipv4.ip} lladdr {access.mac} REACHABLE",
            f"{access.link_local.ip} lladdr {access.mac} STALE",
        ]
        assert await said("ip", "neigh", "show", "dev", "wlan1") == (0, shown)
        assert access.mac in "".join(addresses_text(access.interfaces(), ""))
        assert await said("ip", "neigh", "show", "dev", "wlan9") == (1, [])
        bench.faults.add("neighbours", "laptop", 1)
        shown[1] = f"{access.ipv4.ip} FAILED"
        assert await said("ip", "neigh", "show", "dev", "wlan1") == (0, shown)
        before = bench.world.now_ns
        code, text = await said("ping", "-c", "1", "-W", "1", str(access.ipv4.ip))
        assert (code, text[-1], bench.world.now_ns - before < 10_000_000) == (
            0,
            "1 packets transmitted, 1 received, 0% packet loss, time 0ms",
            True,
        )
        code, text = await said("ping", "-c", "1", "-W", "1", "192.168.137.77")
        assert (code, text[-1]) == (1, "1 packets transmitted, 0 received, 100% packet loss, time 0ms")
        assert bench.world.now_ns - before > 1_000_000_000

    with_bench(tmp_path, talk)


def test_a_capture_that_nobody_stops_ends_by_itself(tmp_path):
    async def talk(bench, start):
        (tmp_path / "laptop/captures").mkdir(parents=True, exist_ok=True)
        words = ["dumpcap", "-q", "-i", "wlan1", "-a", "duration:3", "-w", "/captures/c.pcapng"]
        dumpcap = await start(*words)
        assert await dumpcap.stderr.readline() == b"Capturing on 'wlan1'\n"
        bench.advance(2_900_000_000)
        await bench.world.settle()
        assert dumpcap.returncode is None
        bench.advance(200_000_000)
        await bench.world.settle()
        said = (await dumpcap.stderr.read()).decode()
        assert await dumpcap.wait() == 0
        kinds = [kind for kind, _ in blocks((tmp_path / "laptop/captures/c.pcapng").read_bytes())]
        assert f"Packets captured: {kinds.count(6)}\n" in said
        assert (kinds[:2], kinds[-1], len(kinds)) == ([0x0A0D0D0A, 1], 5, 3 + kinds.count(6))

    with_bench(tmp_path, talk)


def marker(word: str):
    from ipaddress import IPv4Address

    return IPv4Address("192.0.2.1"), 9, f"im-call-lab n1 {word}".encode()


async def slow_dumpcap(bench, file: Path, late_s: float):
    """A stand-in that captures, and writes and acknowledges `late_s` later than it is told to."""
    port = bench.standins._server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    argv = ["dumpcap", "-q", "-i", "wlan1", "-s", "256", "-w", "/captures/c.pcapng"]
    text = "\0".join([bench.standins._token, *argv]).encode()
    writer.write(program.HEAD.pack(b"A", len(text)) + text)
    ready = asyncio.Event()

    async def obey():
        while True:
            kind, length = program.HEAD.unpack(await reader.readexactly(program.HEAD.size))
            body = await reader.readexactly(length)
            if kind == b"W":
                await asyncio.sleep(late_s)
                with file.open("ab") as stream:
                    stream.write(body)
            elif kind == b"Q":
                writer.write(program.HEAD.pack(b"K", 0))
            elif kind == b"2":
                ready.set()

    task = asyncio.get_running_loop().create_task(obey())
    await ready.wait()

    async def end():
        task.cancel()
        writer.close()
        await writer.wait_closed()

    return end


def test_a_command_looks_at_a_file_only_when_all_that_is_due_is_in_it(tmp_path):
    async def talk(bench, start):
        (tmp_path / "laptop/captures").mkdir(parents=True, exist_ok=True)
        file = tmp_path / "laptop/captures/c.pcapng"
        shell = await start("bash")
        await line(shell, "echo up")
        end = await slow_dumpcap(bench, file, 0.1)
        await bench.world.settle()
        began_ns, empty = bench.standins._captures[0]._capture.started_ns, file.stat().st_size
        bench.network.send_udp("pixel6pro", *marker("begin"), 0)
        # dumpcap's block closes half a second after its start: on the way of the next line to the laptop.
        bench.advance(began_ns + 500_000_000 - 100_000 - bench.world.now_ns)
        await bench.world.settle()
        assert file.stat().st_size == empty
        assert int(await line(shell, "stat -c %s /captures/c.pcapng")) > empty
        await end()

    with_bench(tmp_path, talk)


def test_an_interface_that_is_not_there_is_an_error_of_dumpcap(tmp_path):
    async def talk(bench, start):
        dumpcap = await start("dumpcap", "-q", "-i", "wlan9", "-s", "256", "-w", "/captures/c.pcapng")
        text = b"The capture session could not be initiated on interface 'wlan9' (No such device).\n"
        assert await dumpcap.communicate() == (b"", text)
        assert dumpcap.returncode == 1

    with_bench(tmp_path, talk)


def test_a_dumpcap_whose_disk_is_full_says_so_once_it_has_packets_and_ends_with_1(tmp_path):
    async def talk(bench, start):
        (tmp_path / "laptop/captures").mkdir(parents=True, exist_ok=True)
        bench.laptop.files.full = True
        dumpcap = await start("dumpcap", "-q", "-i", "wlan1", "-s", "256", "-w", "/captures/c.pcapng")
        assert await dumpcap.stderr.readline() == b"Capturing on 'wlan1'\n"
        bench.advance(200_000_000)
        await bench.world.settle()
        assert await dumpcap.stderr.readline() == b"File: /captures/c.pcapng\n"
        bench.network.send_udp("pixel6pro", *marker("begin"), 1_000_000_000)
        bench.advance(2_000_000_000)
        bench.advance(1_000_000)
        await bench.world.settle()
        said = (await dumpcap.stderr.read()).decode()
        assert await dumpcap.wait() == 1
        assert '("/captures/c.pcapng") because there is no space left on the file system\n' in said
        assert (tmp_path / "laptop/captures/c.pcapng").read_bytes() == b""

    with_bench(tmp_path, talk)


def test_the_next_attempt_ends_a_capture_that_was_left_running(tmp_path):
    async def talk(bench, start):
        dumpcap = await start("dumpcap", "-q", "-i", "wlan1", "-s", "256", "-w", "/captures/c.pcapng")
        await dumpcap.stderr.readline()
        bench.begin(key="1/t/1", trial="t", attempt=1, start_ns=START_NS, direct=False)
        await bench.world.settle()
        assert await dumpcap.wait() == 255

    with_bench(tmp_path, talk)


def test_a_capture_whose_program_was_killed_holds_nobody_up(tmp_path):
    async def talk(bench, start):
        dumpcap = await start("dumpcap", "-q", "-i", "wlan1", "-s", "256", "-w", "/captures/c.pcapng")
        await dumpcap.stderr.readline()
        assert [process.args[0] for _, process in bench.laptop.processes] == ["dumpcap"]
        dumpcap.kill()
        await dumpcap.wait()
        bench.advance(5_000_000_000)
        await asyncio.wait_for(bench.world.settle(), 5)
        while list(bench.laptop.processes):  # with_bench has a deadline
            await asyncio.sleep(0.01)
        assert bench.world.settlers == []

    with_bench(tmp_path, talk)


def test_cat_gives_the_bytes_of_a_file_and_dumpcap_lists_its_interfaces(tmp_path):
    async def talk(bench, start):
        data = bytes(range(256)) * 8_000
        bench.laptop.files.on_disk("/captures/big").write_bytes(data)
        out, err = await (await start("cat", "/captures/big")).communicate()
        assert (hashlib.sha256(out).digest(), err) == (hashlib.sha256(data).digest(), b"")
        missing = await start("cat", "/captures/none")
        assert await missing.communicate() == (b"", b"cat: /captures/none: No such file or directory\n")
        assert missing.returncode == 1
        out, _ = await (await start("dumpcap", "-D", "-M")).communicate()
        assert out.splitlines()[0] == b"1. wlan1\t\thotspot\t0\t192.168.137.1\tnetwork\t"
        unknown = await start("frobnicate")
        assert await unknown.communicate() == (b"", b"bash: frobnicate: command not found\n")
        assert unknown.returncode == 127

    with_bench(tmp_path, talk)


def test_a_wrong_token_is_turned_away(tmp_path):
    async def talk(bench, start):
        port = bench.standins._server.sockets[0].getsockname()[1]
        (tmp_path / "wrong").write_text("wrong")
        argv = [sys.executable, "-I", "-S", program.__file__, f"127.0.0.1:{port}", str(tmp_path / "wrong"), "bash"]
        done = await asyncio.create_subprocess_exec(*argv, stdin=asyncio.subprocess.DEVNULL)
        assert await done.wait() == 255

    with_bench(tmp_path, talk)


def test_the_token_stands_in_a_file_of_its_owner_and_in_no_command_line(tmp_path):
    async def talk(bench, start):
        shell = await start("bash")
        words = Path(f"/proc/{shell.pid}/cmdline").read_bytes().split(b"\0")
        assert (words[5], bench.standins._token.encode() in b" ".join(words)) == (
            str(tmp_path / "laptop.token").encode(),
            False,
        )
        assert (tmp_path / "laptop.token").read_text() == bench.standins._token
        assert (tmp_path / "laptop.token").stat().st_mode & 0o777 == 0o600

    with_bench(tmp_path, talk)


@pytest.mark.parametrize(
    "argv", [[], ["nowhere"], ["127.0.0.1:1", "/nowhere/token", "bash"], ["127.0.0.1:1", "/dev/null", "a"]]
)
def test_without_a_bench_it_ends_without_a_traceback(argv):
    done = subprocess.run([sys.executable, "-I", "-S", program.__file__, *argv], capture_output=True, timeout=10)
    assert done.returncode in (2, 255)
    assert b"Traceback" not in done.stderr
