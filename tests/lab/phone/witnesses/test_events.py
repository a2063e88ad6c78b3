"""The events buffer: its lines, its stream, and what both the stream and a dump had."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import PhoneTrouble
from lab.phone.witnesses.events import EventsStream, Unreadable, merged, parse_line, split, whole
from lab.phone.witnesses.facts import LogEvent, Missing
from tests.lab.phone.handset import Handset
from tests.lab.phone.witnesses.extracts import THREADTIME, as_epoch

NS = 1_000_000_000
TOUCH, POSTED, GONE = as_epoch(THREADTIME).splitlines()
FIRST_NS = 1_761_539_642_969_000_000
NOTIFICATION = "Notification(channel=calls flags=0x62 category=call actions=2 vis=PRIVATE)"
EVENTS = (
    LogEvent(
        FIRST_NS,
        "input_interaction",
        (
            "3247aff com.whatsapp/com.whatsapp.calling.ui.VoipActivityV2",
            "[Gesture Monitor] swipe-up",
            "PointerEventDispatcher0",
        ),
    ),
    LogEvent(
        FIRST_NS + NS, "notification_enqueue", ("10234", "21272", "com.whatsapp", "23", "NULL", "0", NOTIFICATION, "0")
    ),
    LogEvent(
        FIRST_NS + 2 * NS,
        "notification_canceled",
        ("0|com.whatsapp|23|null|10234", "8", "579", "579", "0", "-1", "-1", "NULL"),
    ),
)
BEGINNING = "--------- beginning of events\n"


def line(tag: str, text: str, at: str = "        1761539642.969") -> str:
    return f"{at}  1144  1144 I {tag}: {text}"


def fields(tag: str, text: str) -> tuple[str, ...]:
    event = parse_line(line(tag, text))
    assert event is not None
    return event.fields


def test_lines_of_epoch_are_read():
    assert tuple(map(parse_line, (TOUCH, POSTED, GONE))) == EVENTS


def test_a_notification_and_its_tag_may_have_commas_and_brackets():
    text = "[10234,21272,com.whatsapp,-23,a, b,0,Notification(channel=a, b (c vis=PRIVATE),1]"
    assert fields("notification_enqueue", text) == (
        "10234",
        "21272",
        "com.whatsapp",
        "-23",
        "a, b",
        "0",
        "Notification(channel=a, b (c vis=PRIVATE)",
        "1",
    )
    clicked = "[0|com.whatsapp|23|tag, two|10234,1,4000,3000,10,0,1]"
    assert fields("notification_action_clicked", clicked) == (
        "0|com.whatsapp|23|tag, two|10234",
        "1",
        "4000",
        "3000",
        "10",
        "0",
        "1",
    )


def test_a_cancelled_touch_names_its_window():
    text = "[de8f568 NotificationShade (server),reason=transferring touch focus from this window to another window]"
    assert fields("input_cancel", text) == (
        "de8f568 NotificationShade (server)",
        "reason=transferring touch focus from this window to another window",
    )


def test_commas_in_brackets_part_nothing():
    assert split("a,f(b,c),{d,[e,f]},g") == ["a", "f(b,c)", "{d,[e,f]}", "g"]
    assert split("a),b") == ["a)", "b"]


def test_headings_and_other_tags_are_nothing():
    assert parse_line("--------- beginning of events") is None
    assert parse_line("--------- switch to events") is None
    assert parse_line("") is None
    assert parse_line(line("am_pss  ", "[1,2]")) is None


@pytest.mark.parametrize(
    "text",
    [
        THREADTIME.splitlines()[0],
        "logcat: Unable to open log device",
        line("notification_enqueue", "[10234,21272,com.whatsapp,23,NULL,0,Notification(channel=calls"),
        line("notification_canceled", "[com.whatsapp,8]"),
    ],
)
def test_what_is_another_form_is_refused_and_not_guessed_at(text):
    with pytest.raises(Unreadable):
        parse_line(text)


class Stream:
    """A stream of adb: what it brings, a `TimeoutError` where it waits, and what it ends by."""

    def __init__(self, *brings: bytes | Exception) -> None:
        self.brings = list(brings)
        self.closed = False

    def receive(self, timeout_s: float) -> bytes:
        assert timeout_s <= 0.01
        if not self.brings:
            raise TimeoutError
        one = self.brings.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    def close(self) -> None:
        self.closed = True


class Phone(Handset):
    serial = "PHONE"

    def __init__(self, stream: Stream | None, dump: str = "") -> None:
        super().__init__()
        self.stream, self.dump = stream, dump

    def open_service(self, service: str) -> Stream:
        self.done.append(service)
        if self.stream is None:
            raise PhoneTrouble("PHONE: exec:logcat cannot be opened")
        return self.stream

    def run(self, command: str, **how: object):
        self.answers = {command: self.dump}
        return super().run(command)


def test_the_stream_begins_at_the_mark_and_asks_for_few_tags():
    phone = Phone(Stream())
    EventsStream(phone, 1_761_539_642_969_999_999)
    assert phone.done == [
        "exec:logcat -b events -v epoch -T 1761539642.969 -s notification_enqueue notification_canceled "
        "notification_action_clicked input_interaction input_cancel 2>&1"
    ]


def test_what_has_come_is_taken_and_nothing_is_waited_for():
    data = f"{BEGINNING}{TOUCH}\n{POSTED}\r\n".encode()
    stream = EventsStream(Phone(Stream(data[:100], TimeoutError(), data[100:], TimeoutError(), GONE.encode())), 0)
    stream.drain()
    assert stream.lines == []
    stream.drain()
    assert stream.lines == list(EVENTS[:2])
    stream.drain()
    assert (stream.lines, stream.broken) == (list(EVENTS[:2]), None)  # its last line has no end yet


@pytest.mark.parametrize(
    ("brings", "why"),
    [
        (b"", "logcat ended by itself"),
        (ConnectionResetError("reset"), "its connection broke: reset"),
        (THREADTIME.encode(), "no line of -v epoch: '10-27 04:34:02.969  1341  2595 I input_interaction"),
        (b"x" * 9_000, "it is longer than it can be"),
        (b"x\n" * (1 << 20) + b"y", "it is longer than it can be"),
    ],
)
def test_a_stream_that_breaks_says_why_and_is_closed(brings, why):
    inner = Stream(brings)
    stream = EventsStream(Phone(inner), 0)
    stream.drain()
    stream.drain()
    assert stream.broken is not None
    assert stream.broken.startswith(why)
    assert inner.closed


def test_a_stream_that_cannot_be_opened_is_broken_and_nothing_else_is():
    stream = EventsStream(Phone(None), 0)
    stream.drain()
    stream.close()
    assert stream.broken == "PHONE: exec:logcat cannot be opened"


def dumped(*lines: str, first: str = "") -> str:
    return f"{BEGINNING}{''.join(f'{one}{chr(10)}' for one in lines)}\n#im-call-lab 5f1c09ae oldest\n{BEGINNING}{first}"


OLD = line("am_pss", "[1,2]", at="        1761539000.000")
LATE = line("am_pss", "[1,2]", at="        1761539642.970")


def test_a_dump_and_the_stream_are_one_log_by_time_and_nothing_is_in_it_twice():
    text = dumped(POSTED, GONE, GONE, first=OLD)
    assert merged(text, list(EVENTS), None, FIRST_NS) == (*EVENTS, EVENTS[2])
    assert merged(text, [], "logcat ended by itself", FIRST_NS + NS) == (EVENTS[1], EVENTS[2], EVENTS[2])


def test_what_is_older_than_the_mark_is_left_out_to_the_millisecond():
    text = dumped(TOUCH, POSTED, first=OLD)
    assert merged(text, [], None, FIRST_NS + 999_999) == EVENTS[:2]
    assert merged(text, [], None, FIRST_NS + 1_000_000) == EVENTS[1:2]


def test_a_buffer_that_has_begun_after_the_mark_is_enough_only_with_a_whole_stream():
    assert merged(dumped(GONE, first=LATE), list(EVENTS[:2]), None, FIRST_NS) == EVENTS
    assert merged(dumped(GONE, first=LATE), list(EVENTS[:2]), "it broke", FIRST_NS) == Missing(
        "the events buffer begins after the trial did, and its stream broke: it broke"
    )
    assert merged(dumped(GONE, first=TOUCH), [], "it broke", FIRST_NS) == EVENTS[2:]
    assert merged(dumped(), [], None, FIRST_NS) == ()
    assert isinstance(merged(dumped(), [], "it broke", FIRST_NS), Missing)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (dumped(THREADTIME.splitlines()[0]), "the events buffer cannot be read: no line of -v epoch: '10-27 04:34:0"),
        (dumped(first=THREADTIME.splitlines()[0]), "the events buffer cannot be read: no line of -v epoch: '10-27 04:"),
        (BEGINNING, "the events buffer's dump is longer than it can be, or not whole"),
    ],
)
def test_a_dump_that_cannot_be_read_is_missing(text, why):
    found = merged(text, list(EVENTS), None, FIRST_NS)
    assert isinstance(found, Missing)
    assert found.why.startswith(why)


def test_the_whole_log_takes_what_the_stream_still_has():
    phone = Phone(Stream(f"{TOUCH}\n".encode()), dumped(POSTED, GONE, first=LATE))
    assert whole(phone, EventsStream(phone, FIRST_NS), FIRST_NS) == EVENTS
    assert phone.done[-1] == (
        "logcat -d -b events -v epoch -T 1761539642.969 -s notification_enqueue notification_canceled "
        "notification_action_clicked input_interaction input_cancel 2>&1 | head -c 2097152; echo; "
        "echo '#im-call-lab 5f1c09ae oldest'; logcat -d -b events -v epoch 2>&1 | head -n 3"
    )


LINES = st.sampled_from([TOUCH, POSTED, GONE, OLD, BEGINNING.strip()]) | st.text(max_size=80)


@given(st.lists(LINES, max_size=8).map("\n".join), st.lists(LINES, max_size=3).map("\n".join))
def test_no_text_makes_it_raise(text, first):
    assert isinstance(merged(text, [], None, 0), tuple | Missing)
    assert isinstance(merged(dumped(text, first=first), list(EVENTS), "broke", FIRST_NS), tuple | Missing)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_no_bytes_make_the_stream_raise(brings):
    stream = EventsStream(Phone(Stream(*brings)), 0)
    stream.drain()
    assert stream.broken is None or isinstance(stream.broken, str)


@given(st.permutations([TOUCH, POSTED, GONE]))
def test_any_order_gives_the_same_facts(lines):
    assert merged(dumped(*lines, first=OLD), [], None, FIRST_NS) == EVENTS
