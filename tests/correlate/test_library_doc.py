"""The examples of docs/library.md run, and give what is written there."""

import doctest
from pathlib import Path

LIBRARY = Path(__file__).parents[2] / "docs/library.md"
A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)


def test_every_example_gives_what_is_written_beneath_it(tmp_path, build, monkeypatch):
    call = build.call()
    call.caller.interface = call.caller.interface[:1]
    call.caller.probed = call.caller.probed[:1]
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 11.0, 120, 110)
        side.put(2.0, *local, *RELAY, build.stun(build.BINDING, (build.USERNAME, b"abcd:efgh")))
    (tmp_path / "dataset").mkdir()
    build.dataset(tmp_path / "dataset", [call])
    (tmp_path / "caller.pcap").write_bytes(call.caller.pcap())
    (tmp_path / "notes.txt").write_text("no capture")
    monkeypatch.chdir(tmp_path)
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    results = doctest.testfile(str(LIBRARY), module_relative=False, optionflags=flags)
    assert results.attempted > 20
    assert results.failed == 0
