"""The line discipline of a terminal: echo, editing of the line, end of line. For people who type `adb shell`."""

from lab.virtual.shell.terminal import Peer

ERASE = (b"\x7f", b"\b")
INTERRUPT, END = b"\x03", b"\x04"


class LineDiscipline:
    """Stands between a peer in raw mode and a terminal: hands on whole lines, and shows `prompt` before each."""

    def __init__(self, peer: Peer, prompt: str) -> None:
        self._peer, self._prompt = peer, prompt.encode()
        self._line = bytearray()
        self._typed = bytearray()
        self._ended = False

    def accept(self) -> None:
        self._peer.accept()

    async def hung_up(self) -> None:
        await self._peer.hung_up()

    async def send(self, pieces: list[tuple[int, bytes]]) -> None:
        await self._peer.send([(number, data.replace(b"\n", b"\r\n")) for number, data in pieces])

    async def finish(self, pieces: list[tuple[int, bytes]], code: int) -> None:
        await self._peer.finish([(number, data.replace(b"\n", b"\r\n")) for number, data in pieces], code)

    async def read(self) -> bytes:
        if self._prompt and not self._ended:
            await self._peer.send([(1, self._prompt)])
        while not self._ended:
            while self._typed and not self._ended:
                key = bytes(self._typed[:1])
                del self._typed[:1]
                if line := await self._key(key):
                    return line
            if not self._ended:
                data = await self._peer.read()
                self._typed += data
                self._ended = not data
        return b""

    async def _key(self, key: bytes) -> bytes:
        """Take one key; a whole line once it is ended."""
        shown, line = key, b""
        if key in (b"\r", b"\n"):
            line, shown = bytes(self._line) + b"\n", b"\r\n"
            self._line.clear()
        elif key in ERASE:
            shown = b"\b \b" if self._line else b""
            del self._line[-1:]
        elif key == INTERRUPT:
            self._line.clear()
            shown = b"^C\r\n" + self._prompt
        elif key == END:
            self._ended, shown = not self._line, b""
        else:
            self._line += key
        if shown:
            await self._peer.send([(1, shown)])
        return line
