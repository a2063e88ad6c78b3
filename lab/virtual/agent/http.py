"""As much of HTTP/1.1 (RFC 9112) as the clients of the agent speak: one request after the other on one stream."""

from dataclasses import dataclass

from lab.virtual.adb.daemon import AdbStream

MAX_BODY_BYTES = 1 << 20
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found"}


@dataclass(frozen=True)
class HttpRequest:
    method: str
    path: str
    body: bytes


def http_response(status: int, content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {content_type}\r\nConnection: keep-alive\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def read_request(stream: AdbStream) -> HttpRequest | None:
    """The next request of a connection; None at its end. Raises ValueError for what is no HTTP."""
    start = (await stream.read_line()).decode("latin-1").split()
    if not start:
        return None
    if len(start) != 3:
        raise ValueError("no HTTP request line")
    length = 0
    while (line := (await stream.read_line()).decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            length = int(value)
    if not 0 <= length <= MAX_BODY_BYTES:
        raise ValueError("a body of that length is not taken")
    return HttpRequest(start[0], start[1], await stream.read_exactly(length))
