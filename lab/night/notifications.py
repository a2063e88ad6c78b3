"""Telling people of a night: mail, a webhook, a program, and a ping that somebody misses.

Nothing here ends a night or changes its exit code. A message that cannot be sent lies in `outbox/` and goes out with
the next night. What a channel is asked takes 10 s at most, in all, whatever the other side does or leaves undone.
"""

import http.client
import json
import re
import smtplib
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from correlate.dataset import documents
from correlate.dataset.durable import remove
from correlate.dataset.record import Document, Name
from correlate.errors import CorrelateError
from lab.clocks import deadlines
from lab.commands.checks import Check
from lab.definitions import BenchSpec
from lab.definitions.notify import Notify
from lab.definitions.secrets import SHORT_CHARACTERS, Redactor, secrets
from lab.errors import one_line
from lab.programs import processes

TRIES = 3
PAUSE_S = 1.0
"""Before the second try; twice as long before the third."""
LINES, LINE, TITLE = 200, 1000, 200
"""A message has at most so many lines of so many characters, and its title so many."""
SILENT = "no answer within {:g} s"
OUTBOX = 50
"""So many messages wait; of more the newest."""
NUMBER = r"\+?[0-9]{7,}"
"""What may be a phone's number, a serial or a user id."""
PORTS = {"starttls": 587, "tls": 465, "none": 25}


class Message(Document):
    """What is told of a night, without a secret of its bench."""

    title: Annotated[str, StringConstraints(max_length=TITLE)]
    """One line: bench, matrix, date and how it ended"""
    lines: Annotated[list[str], Field(max_length=LINES)]
    """The rest"""
    bench: Name
    """The bench"""
    matrix: Name
    """The matrix"""
    date: str
    """The night's date"""
    verdict: int
    """Its exit code"""

    @property
    def text(self) -> str:
        return "\n".join([self.title, *self.lines, ""])


class Waiting(Document):
    """A message in the outbox."""

    channel: Name
    """By which channel it is to go"""
    message: Message
    """The message"""


@dataclass(frozen=True)
class Sent:
    """What came of a message, or of a ping, by one channel; `why` it could not be sent, empty where it was."""

    channel: str
    kind: str
    why: str = ""


def message(spec: BenchSpec, matrix: str, date: str, verdict: int, title: str, lines: Sequence[str]) -> Message:
    """A message that is safe to send: bounded lines without control characters and without the bench's secrets."""
    clean = _cleaner(spec)
    # A line end would begin another header of a mail.
    told = [one_line(clean(line), LINE) for line in lines]
    if len(told) > LINES:
        told[LINES - 1 :] = [f"and {len(told) - LINES + 1} more lines, in the report"]
    about = {"bench": spec.name, "matrix": matrix, "date": date, "verdict": verdict}
    return Message(title=one_line(clean(title), TITLE), lines=told, **about)


def _cleaner(spec: BenchSpec) -> Callable[[str], str]:
    """Takes out the secrets of a bench, short ones too, and whatever may be somebody's number."""
    known = secrets(spec)
    redactor = Redactor(known)
    short = [re.escape(each.value) for each in known if len(each.value) < SHORT_CHARACTERS]
    words = re.compile(rf"(?<!\w)(?:{'|'.join([*short, NUMBER])})(?!\w)", re.IGNORECASE)
    return lambda text: words.sub("<left out>", redactor.clean(text))


def tell(spec: BenchSpec, to_tell: Message, outbox: Path) -> list[Sent]:
    """Send a message by every channel that takes one; what cannot be sent waits in `outbox`."""
    found = [_tried(channel, to_tell) for channel in spec.notify if channel.kind != "ping"]
    for each in found:
        if each.why:
            _keep(outbox, Waiting(channel=each.channel, message=to_tell))
    return found


def tell_late(spec: BenchSpec, outbox: Path) -> list[Sent]:
    """Send what waits in `outbox` from earlier nights, the oldest first; a channel that fails is not tried again.

    What waits for a channel that is no more stays, and so does what nobody can read.
    """
    channels = {channel.name: channel for channel in spec.notify if channel.kind != "ping"}
    found: dict[str, Sent] = {}
    for path in sorted(outbox.glob("*.json"))[-OUTBOX:]:
        try:
            waiting = documents.read(path, str(path), Waiting)
        except CorrelateError:
            continue
        channel = channels.get(waiting.channel)
        if channel is None or (channel.name in found and found[channel.name].why):
            continue
        late = waiting.message.model_copy(update={"title": f"(sent late) {waiting.message.title}"[:TITLE]})
        found[channel.name] = sent = _tried(channel, late, tries=1)
        if not sent.why:
            remove(path)
    return list(found.values())


def ping(spec: BenchSpec, *, begins: bool) -> list[Sent]:
    """Tell every service that would miss it that the night begins, or has ended."""
    return [
        _outcome(channel, partial(_get, (begins and channel.begin_url) or channel.url or ""))
        for channel in spec.notify
        if channel.kind == "ping"
    ]


def try_channels(spec: BenchSpec) -> list[Check]:
    """Send a test message by each channel once, and ping once; what came of each."""
    test = message(spec, "none", "none", 0, f"im-call-lab, bench {spec.name}: a test", ["Nothing happened."])
    sent = [_tried(channel, test, tries=1) for channel in spec.notify if channel.kind != "ping"]
    found = [*sent, *ping(spec, begins=True)]
    if not found:
        return [Check("notify", spec.name, False, "no channel", "write one under `notify` (docs/nightly.md)")]
    fix = "mend this channel under `notify` in the bench's local file"
    return [Check("notify", f"{each.kind} {each.channel}", not each.why, each.why or "sent", fix) for each in found]


def _keep(outbox: Path, waiting: Waiting) -> None:
    """A file of its own each, whose names sort by date; where that fails too there is nothing left to do."""
    stem, number = f"{waiting.message.date}-{waiting.channel}", 0
    while (path := outbox / f"{stem}.{number}.json").exists():
        number += 1
    try:
        documents.write(path, waiting)
    except OSError:
        return


def _tried(channel: Notify, to_tell: Message, tries: int = TRIES) -> Sent:
    return _outcome(channel, partial(BY_KIND[channel.kind], channel, to_tell), tries)


def _outcome(channel: Notify, send: Callable[[], None], tries: int = TRIES) -> Sent:
    """Try it, with growing pauses; what is told of the last failure is no answer of the other side."""
    why = ""
    for number in range(tries):
        if number:
            threading.Event().wait(PAUSE_S * 2 ** (number - 1))
        why = _within(deadlines.NOTIFICATION.s, send)
        if not why:
            break
    return Sent(channel.name, channel.kind, why)


def _within(seconds: float, send: Callable[[], None]) -> str:
    """Run it in a thread that nobody waits for longer, since a server may send a byte each second for ever; why it
    failed, else nothing."""
    failed: list[str] = []

    def run() -> None:
        try:
            send()
            failed.append("")
        except (OSError, smtplib.SMTPException, http.client.HTTPException, ValueError) as error:
            failed.append(_words(error))

    thread = threading.Thread(target=run, name="notification", daemon=True)
    thread.start()
    thread.join(seconds)
    return failed[0] if failed else SILENT.format(seconds)


def _words(error: Exception) -> str:
    """Why, in our words: what a server says may hold an address of somebody."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP status {error.code}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__}, SMTP status {error.smtp_code}"
    if isinstance(error, _Ended):
        return str(error)
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return SILENT.format(deadlines.NOTIFICATION.s)
    said = reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
    return one_line(str(said), LINE)


class _Ended(OSError):
    """A program did not take a message."""


def _mail(channel: Notify, to_tell: Message) -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = to_tell.title, channel.sender, ", ".join(channel.to)
    mail.set_content(to_tell.text)
    security, seconds = channel.security or "starttls", deadlines.NOTIFICATION.s
    host, port = channel.server or "", channel.port or PORTS[security]
    context = ssl.create_default_context()
    with (
        smtplib.SMTP_SSL(host, port, timeout=seconds, context=context)
        if security == "tls"
        else smtplib.SMTP(host, port, timeout=seconds) as server
    ):
        if security == "starttls":
            server.starttls(context=context)
        if channel.user is not None and channel.password is not None:
            server.login(channel.user, channel.password)
        if server.send_message(mail):
            raise _Ended("some of the addresses were refused")


def _webhook(channel: Notify, to_tell: Message) -> None:
    body = {**to_tell.model_dump(mode="json"), "text": to_tell.text}
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "im-call-lab"}
    _get(channel.url or "", json.dumps(body).encode(), headers)


def _get(url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> None:
    """Ask for a URL of a definition, which begins with http; what it answers is not read."""
    request = urllib.request.Request(url, data, headers or {"User-Agent": "im-call-lab"})  # noqa: S310
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=deadlines.NOTIFICATION.s):
        pass


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Followed, a message would become a question without a body, which any page answers."""

    def redirect_request(self, *_: object) -> None:
        return None


def _command(channel: Notify, to_tell: Message) -> None:
    done = processes.run(channel.command, timeout_s=deadlines.NOTIFICATION.s, data=to_tell.text.encode())
    if done.code:
        raise _Ended(f"{Path(channel.command[0]).name} ended with exit code {done.code}")


BY_KIND: dict[str, Callable[[Notify, Message], None]] = {"mail": _mail, "webhook": _webhook, "command": _command}


def in_words(sent: Sequence[Sent]) -> Iterator[str]:
    """A line for each channel."""
    for each in sent:
        yield f"{each.kind} {each.channel}: {f'not sent, {each.why}' if each.why else 'sent'}"
