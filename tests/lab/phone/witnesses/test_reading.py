"""A phone's records in one line of its shell: what is in the answer, and what the line does on real shells."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import PhoneTrouble
from lab.phone.adb import Adb, LabClient
from lab.phone.witnesses import events, notifications, telephony
from lab.phone.witnesses.facts import Missing, PhoneDate, Reading, SimState
from lab.phone.witnesses.reading import COMMAND, parse, parse_uid, read, since, uid_of
from tests.lab.phone.handset import Handset
from tests.lab.phone.witnesses.extracts import CAMERA, DATE, MODES, RECORDERS, SAMSUNG, TELECOM
from tests.lab.phone.witnesses.test_audio import CALLS, TALK
from tests.lab.virtual.bench_process import BEGIN, Process

MARK = "#im-call-lab 5f1c09ae "
DUMPS = {
    "date": f"{DATE.epoch_s} +0200\n4000.25 1.00\n",
    "audio": f"- Actual mode = MODE_NORMAL\n{MODES}\n\n{RECORDERS}\n",
    "camera": CAMERA,
    "telecom": TELECOM,
    "telephony": "  Phone Id=0\n    mCallState=0\n",
    "end": "",
}


def answer(**dumps: str) -> str:
    return "".join(f"\n{MARK}{name}\n{text}" for name, text in (DUMPS | dumps).items())


def test_an_answer_has_all_records():
    found = parse(answer())
    assert found.date == PhoneDate(DATE.epoch_s, 7_200, 4_000.25)
    assert (found.mode, found.modes, found.recorders) == ("MODE_NORMAL", CALLS, TALK)
    assert isinstance(found.cameras, tuple)
    assert isinstance(found.calls, tuple)
    assert ([event.device for event in found.cameras], [call.number for call in found.calls]) == (
        ["20", "20", "0", "0"],
        [7],
    )
    assert found.sims == (SimState(0, 0),)
    assert parse(answer().replace("\n", "\r\n")) == found


def test_a_dump_that_fails_is_missing_by_itself():
    found = parse(answer(audio="Can't find service: audio\n", telecom="*** SERVICE 'telecom' DUMP TIMEOUT (3000ms)"))
    gone = Missing("the phone has no service audio")
    assert (found.mode, found.modes, found.recorders) == (gone, gone, gone)
    assert found.calls == Missing("dumpsys telecom did not answer in 3 s")
    assert isinstance(found.cameras, tuple)
    usage = "usage: dumpsys\n"
    found = parse(answer(audio=usage, camera=usage, telecom=usage, telephony=usage))
    assert all(isinstance(one, Missing) for one in (found.modes, found.cameras, found.calls, found.sims))


def test_without_a_date_what_is_stamped_is_missing():
    found = parse(answer(date="date: bad\n"))
    why = Missing("the phone's date cannot be read: 'date: bad'")
    assert (found.date, found.modes, found.recorders, found.cameras, found.calls) == (why,) * 5
    assert (found.mode, found.sims) == ("MODE_NORMAL", (SimState(0, 0),))


@pytest.mark.parametrize(
    "text",
    [
        "",
        answer().partition(f"{MARK}end")[0],
        answer(audio=f"{MARK}camera\n"),
        "sh: syntax error" + answer(),
    ],
)
def test_an_answer_that_is_not_whole_is_trouble_with_the_phone(text):
    with pytest.raises(PhoneTrouble, match="PHONE: no whole answer to the question for its records: it has the sect"):
        read(Handset(name="PHONE", answers={COMMAND: text}))


@given(st.dictionaries(st.sampled_from([*DUMPS][:-1]), st.text(max_size=200)))
def test_no_text_makes_it_raise(dumps):
    assert isinstance(parse(answer(**dumps)), Reading)


@pytest.mark.parametrize(
    ("text", "uid"),
    [
        ("package:com.whatsapp.w4b uid:10250\npackage:com.whatsapp uid:10240\n", 10_240),
        ("package:com.whatsapp uid:1010234,10234\n", 10_234),
        ("package:com.whatsapp uid:10234,1010234\n", 10_234),
        ("package:com.whatsapp uid:1010234\n", None),
        ("package:com.whatsapp\n", None),
        ("package:com.whatsapp.w4b uid:10250\n", None),
        ("java.lang.SecurityException: Shell does not have permission to access user 150\n", None),
    ],
)
def test_the_uid_is_that_of_the_package_itself_and_of_the_first_user(text, uid):
    assert parse_uid(text, "com.whatsapp") == uid
    assert uid_of(Handset(answers={"pm list packages -U --user 0 com.whatsapp": text}), "com.whatsapp") == uid


# -- on a real shell


@pytest.fixture
def phone_like(tmp_path) -> Path:
    """A folder with mksh and toybox under the names that they have on a phone, and a dumpsys that prints files."""
    mksh, toybox = shutil.which("mksh"), shutil.which("toybox")
    if mksh is None or toybox is None:
        pytest.skip("no mksh, toybox: apt install mksh toybox")
    (tmp_path / "sh").symlink_to(mksh)
    applets = subprocess.run([toybox], capture_output=True, check=True).stdout.decode().split()
    for name in {"toybox", *applets} - {"sh"}:
        (tmp_path / name).symlink_to(toybox)
    whole = {"audio": f"{SAMSUNG}\n{RECORDERS}", "telecom": TELECOM, "media.camera": CAMERA}
    for service, text in whole.items():
        noise = "".join(f"  {number} of a thousand other lines\n" for number in range(1000))
        (tmp_path / f"{service}.dump").write_text(f"{noise}{text}\n\n{noise}")
    (tmp_path / "dumpsys").write_text(
        f'#!{tmp_path}/sh\ntest "$1$2" = -t3 || exit 20\ncat {tmp_path}/$3.dump 2>/dev/null && exit\n'
        'echo "Can\'t find service: $3" >&2\n'
    )
    (tmp_path / "dumpsys").chmod(0o755)
    return tmp_path


def asked(phone_like: Path, script: str) -> str:
    done = subprocess.run(
        ["sh"],
        executable=phone_like / "sh",
        input=f"{script}\n".encode(),
        capture_output=True,
        env={"PATH": str(phone_like), "TZ": "CET-1"},
        timeout=20,
    )
    assert done.stderr == b""
    return done.stdout.decode()


def test_the_line_does_on_mksh_and_toybox_what_is_meant_and_lets_little_through(phone_like):
    text = asked(phone_like, COMMAND)
    found = parse(text)
    assert len(text) < 4_000
    assert isinstance(found.date, PhoneDate)
    assert found.date.utc_offset_s == 3_600
    assert found.date.since_boot_s is not None
    assert (found.mode, found.sims) == ("MODE_NORMAL", Missing("the phone has no service telephony.registry"))
    assert isinstance(found.modes, tuple)
    assert isinstance(found.recorders, tuple)
    assert [change.mode for change in found.modes] == ["MODE_IN_CALL", "MODE_NORMAL"]
    assert [event.event for event in found.recorders] == ["update", "stop"]
    assert isinstance(found.cameras, tuple)
    assert isinstance(found.calls, tuple)
    assert (len(found.cameras), [call.number for call in found.calls]) == (4, [7])


def test_a_log_of_another_form_shows_on_mksh_and_toybox_and_is_not_empty(phone_like):
    text = (phone_like / "audio.dump").read_text().replace("setMode(", "modeSet(")
    (phone_like / "audio.dump").write_text(text)
    found = parse(asked(phone_like, COMMAND))
    assert isinstance(found.modes, tuple)
    assert found.modes[0].mode.startswith("modeSet(MODE_IN_CALL) from package=com.android.server.telecom")
    (phone_like / "audio.dump").write_text(text.replace("08-19 14:49:", "at 14:49:"))
    found = parse(asked(phone_like, COMMAND))
    assert isinstance(found.modes, Missing)
    assert found.modes.why.startswith("cannot be read: its log 'phone state' has 'at 14:49:25:686 modeSet")
    assert isinstance(found.recorders, tuple)


# -- on the emulated phones


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Iterator[tuple[Process, list[Adb]]]:
    process = Process(tmp_path_factory.mktemp("bench"))
    phones = []
    for phone in process.started["phones"]:
        serial = f"127.0.0.1:{phone['port']}"
        process.adb("connect", serial)
        phones.append(Adb(LabClient("127.0.0.1", process.started["adb_port"]), serial))
    yield process, phones
    for adb in phones:
        adb.close()
    process.end()


def test_the_emulated_phones_answer_all_of_it(bench):
    process, phones = bench
    process.say(BEGIN)
    for adb in phones:
        first = read(adb)
        stream = events.EventsStream(adb, adb.read_clock_ns())
        process.say({"op": "advance", "ns": 5_000_000_000})
        log = events.whole(adb, stream, adb.read_clock_ns() - 5_000_000_000)
        stream.close()
        assert not [name for name, value in vars(first).items() if isinstance(value, Missing)]
        found = since(first, read(adb), uid_of(adb, "com.whatsapp"), log)
        assert (found.modes, found.calls, found.events) == ((), (), ())
        assert found.uid is not None
        assert isinstance(telephony.look(adb), tuple)
        assert notifications.posted(adb) == ()
    assert process.say({"op": "end", "truth": None})["refused"] == []


def test_an_emulated_clock_that_is_set_makes_all_that_it_stamped_missing(bench):
    process, phones = bench
    step = {"op": "fail_next", "what": "clock", "on": "pixel6", "by_ns": -9_000_000_000, "after_ns": 2_000_000_000}
    assert "error" not in process.say(step)
    process.say(BEGIN)
    first = read(phones[0])
    process.say({"op": "advance", "ns": 4_000_000_000})
    found = since(first, read(phones[0]), None, ())
    assert found.modes == found.events == Missing("the phone's clock was set by -9 s between the readings")
    process.say({"op": "end", "truth": None})
