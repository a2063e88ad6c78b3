"""An open bench: what it puts back, what it leaves, and which trials may have a direct route."""

import contextlib
import os
import socket
import stat
import tempfile
import threading
from collections import Counter
from pathlib import Path

import pytest

from lab.bench.bench import Bench
from lab.bench.connection import put_back, stays_awake
from lab.bench.real import RealBench
from lab.bench.virtual import VirtualBench
from lab.clocks.stop import Stop
from lab.definitions import Lab, plan, plan_routes
from lab.errors import BenchBusy, BenchUnhealthy
from lab.programs import locks

SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.fixture(scope="module")
def lab():
    return Lab.load(SCENARIOS)


def test_a_bench_is_open_and_leaves_nothing_when_it_is_closed(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Bench(lab, lab.bench("virtual"), Stop()) as bench:
        assert list(bench.phones) == ["pixel6", "pixel6pro"]
        assert bench.unreachable == {}
        assert bench.hotspot().interface == "wlan1"
        assert bench.kind.hint.endswith(f"adb -P {bench.kind.client.port} devices")
        bench.recover(lambda *rung: pytest.fail(str(rung)))
        phone = bench.phones["pixel6"]
        before = stays_awake(phone.device)
        phone.wake()
        assert (before, stays_awake(phone.device) != before) == ("0", True)
        put_back(phone.device, before)
        assert stays_awake(phone.device) == before
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_bench_process_that_dies_at_its_start_says_its_last_words(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "sitecustomize.py").write_text(
        "import sys\nif '-m' in sys.orig_argv: raise SystemExit('out of order')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    with pytest.raises(BenchUnhealthy) as raised:
        VirtualBench(lab, lab.bench("virtual"), Stop())
    assert str(raised.value) == "the virtual bench has ended: SystemExit: out of order; run again"
    assert [path.name for path in tmp_path.iterdir()] == ["lib"]


def test_nothing_is_left_of_a_bench_whose_run_is_killed_before_it_has_asked_for_one(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    there: list[list[Path]] = []

    def killed(argv, **_given):
        there.append(list(tmp_path.iterdir()))
        raise KeyboardInterrupt

    monkeypatch.setattr("lab.bench.virtual.Program", killed)
    with pytest.raises(KeyboardInterrupt):
        VirtualBench(lab, lab.bench("virtual"), Stop())
    assert there == [[]]


def test_the_phones_of_a_real_bench_are_held_by_one_run_alone_whatever_its_tmpdir_says(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PLACE", tmp_path)
    spec = lab.bench("pixels")
    phones = [phone.model_copy(update={"serial": f"SERIAL{n}:5555"}) for n, phone in enumerate(spec.phones)]
    spec = spec.model_copy(update={"phones": phones})
    first = RealBench(spec, Stop())
    made = list(tmp_path.iterdir())
    assert (len(made), [path.name for path in made if "SERIAL" in path.name]) == (2, [])
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    monkeypatch.setenv("TMPDIR", str(tmp_path / "other"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "other"))
    with pytest.raises(BenchBusy) as raised:
        RealBench(spec, Stop())
    holder = f"held by process {os.getpid()}; wait until it has ended, or end it"
    assert str(raised.value) == f"the phone pixel6 of bench pixels is {holder}"
    first.close()
    RealBench(spec, Stop()).close()
    wireless = [
        phone.model_copy(update={"serial": f"adb-S{n}-vWgJpq._adb-tls-connect._tcp"}) for n, phone in enumerate(phones)
    ]
    plain = [phone.model_copy(update={"serial": f"S{n}"}) for n, phone in enumerate(phones)]
    first = RealBench(spec.model_copy(update={"phones": wireless}), Stop())
    with pytest.raises(BenchBusy):
        RealBench(spec.model_copy(update={"phones": plain}), Stop())
    first.close()
    assert list(tmp_path.iterdir()) == []


def test_direct_routes_are_an_exact_sample_of_each_full_cell(lab):
    spec, matrix = lab.bench("virtual"), lab.matrix("paper")
    for seed in (1, 2):
        planned = plan_routes(lab, plan(matrix, spec, seed), spec, seed)
        direct = Counter(
            (item.trial.app, spec.caller_of(item.trial.direction).network, item.trial.scenario)
            for item in planned
            if item.direct
        )
        wanted = {
            (app.name, count.caller_network, count.scenario): count.direct
            for app in lab.virtual_apps.values()
            if app.name in matrix.apps
            for count in app.network.direct
            if count.direct
        }
        assert dict(direct) == wanted
        assert [item.index for item in planned] == list(range(180))


def test_an_adb_server_that_was_there_and_has_gone_is_the_benchs_trouble_and_not_a_phones(lab, monkeypatch):
    def answer(listener: socket.socket) -> None:
        with listener, listener.accept()[0] as stream:
            stream.recv(64)
            stream.sendall(b"OKAY00040029")

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
    spec = lab.bench("pixels")
    with contextlib.closing(RealBench(spec, Stop(), phones=False)) as bench:
        bench.check_health()
        server = threading.Thread(target=answer, args=(listener,))
        server.start()
        assert bench.serial(spec.phones[0].model_copy(update={"serial": "PRETEND1"})) == "PRETEND1"
        server.join()
        with pytest.raises(BenchUnhealthy, match=rf"^no adb server answers .*; start it: adb -P {port} start-server$"):
            bench.check_health()
