"""The device side of ADB, byte by byte."""

import asyncio
import struct

import pytest

from lab.virtual.adb.daemon import COMMANDS, Device, listen, packet


def raw(command: bytes, arg0: int, arg1: int, data: bytes = b"", checksum: int = 0) -> bytes:
    """A message put together from the protocol's description alone."""
    number = int.from_bytes(command, "little")
    return command + struct.pack("<5I", arg0, arg1, len(data), checksum, number ^ 0xFFFFFFFF) + data


class EchoDevice(Device):
    """`echo:` sends back each line, `once:` says hello and ends, `slow:` waits for `release`, others are refused."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.seen: list[str] = []

    def banner(self) -> str:
        return "device::features=shell_v2"

    def service(self, name):
        self.seen.append(name)
        return {"echo:": self.echo, "once:": self.once, "slow:": self.slow, "big:": self.big}.get(name)

    async def echo(self, stream):
        while line := await stream.read_line():
            await stream.write(line)

    async def once(self, stream):
        await stream.write(b"hello")

    async def slow(self, stream):
        await self.release.wait()

    async def big(self, stream):
        await stream.write(b"x" * 10_000)


def conversation(talk):
    """Run `talk(device, reader, writer)` against a device on a real socket."""

    async def main():
        device = EchoDevice()
        server, port = await listen(device)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            return await asyncio.wait_for(talk(device, reader, writer), 5)
        finally:
            writer.close()
            server.close()

    return asyncio.run(main())


async def connect(reader, writer, max_data: int = 4096):
    writer.write(raw(b"CNXN", 0x01000001, max_data, b"host::features=shell_v2"))
    banner = b"device::features=shell_v2"
    expected = raw(b"CNXN", 0x01000001, 1 << 20, banner, sum(banner))
    assert await reader.readexactly(len(expected)) == expected


def test_a_packet_is_six_little_endian_words_and_its_data():
    assert packet("OKAY", 1, 2) == b"OKAY" + bytes.fromhex("01000000 02000000 00000000 00000000 b0b4bea6")
    assert packet("WRTE", 3, 4, b"ab") == raw(b"WRTE", 3, 4, b"ab")
    assert COMMANDS["CLSE"] == 0x45534C43


def test_a_stream_is_opened_echoes_and_closes():
    async def talk(device, reader, writer):
        await connect(reader, writer)
        writer.write(raw(b"OPEN", 7, 0, b"echo:\0"))
        assert await reader.readexactly(24) == raw(b"OKAY", 1, 7)
        writer.write(raw(b"WRTE", 7, 1, b"hi\n"))
        expected = raw(b"OKAY", 1, 7) + raw(b"WRTE", 1, 7, b"hi\n")
        assert await reader.readexactly(len(expected)) == expected
        writer.write(raw(b"OKAY", 7, 1) + raw(b"CLSE", 7, 1))
        writer.write(raw(b"WRTE", 7, 1, b"late"))
        assert await reader.readexactly(24) == raw(b"CLSE", 0, 7)

    conversation(talk)


def test_a_service_that_ends_closes_behind_its_last_bytes():
    async def talk(device, reader, writer):
        await connect(reader, writer)
        writer.write(raw(b"OPEN", 9, 0, b"once:\0"))
        expected = raw(b"OKAY", 1, 9) + raw(b"WRTE", 1, 9, b"hello") + raw(b"CLSE", 1, 9)
        assert await reader.readexactly(len(expected)) == expected

    conversation(talk)


def test_a_service_that_is_not_there_is_refused_with_a_close():
    async def talk(device, reader, writer):
        await connect(reader, writer)
        writer.write(raw(b"OPEN", 5, 0, b"tcp:9008\0"))
        assert await reader.readexactly(24) == raw(b"CLSE", 0, 5)
        assert device.seen == ["tcp:9008"]

    conversation(talk)


def test_an_open_is_not_answered_before_the_service_blocks_on_its_client():
    async def talk(device, reader, writer):
        await connect(reader, writer)
        writer.write(raw(b"OPEN", 5, 0, b"slow:\0"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(1), 0.05)
        device.release.set()
        assert await reader.readexactly(48) == raw(b"OKAY", 1, 5) + raw(b"CLSE", 1, 5)

    conversation(talk)


def test_a_long_answer_is_cut_to_what_the_host_takes_and_waits_for_each_okay():
    async def talk(device, reader, writer):
        await connect(reader, writer)
        writer.write(raw(b"OPEN", 5, 0, b"big:\0"))
        first = raw(b"OKAY", 1, 5) + raw(b"WRTE", 1, 5, b"x" * 4096)
        assert await reader.readexactly(len(first)) == first
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(1), 0.05)
        writer.write(raw(b"OKAY", 5, 1))
        assert await reader.readexactly(24 + 4096) == raw(b"WRTE", 1, 5, b"x" * 4096)
        writer.write(raw(b"OKAY", 5, 1))
        assert await reader.readexactly(24 + 1808) == raw(b"WRTE", 1, 5, b"x" * 1808)

    conversation(talk)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", raw(b"SYNC", 1, 1), struct.pack("<6I", 1, 0, 0, 0, 0, 0)],
)
def test_what_is_no_adb_is_hung_up_on(garbage):
    async def talk(device, reader, writer):
        writer.write(garbage)
        try:
            return await reader.read(100)
        except ConnectionResetError:
            return b""

    assert conversation(talk) == b""


def test_a_message_longer_than_was_agreed_is_hung_up_on():
    async def talk(device, reader, writer):
        writer.write(raw(b"WRTE", 1, 1)[:12] + struct.pack("<I", 1 << 30) + raw(b"WRTE", 1, 1)[16:])
        try:
            return await reader.read(100)
        except ConnectionResetError:
            return b""

    assert conversation(talk) == b""
