"""Bytes of the app under test, by kind of network: what a phone counts, and what voids an attempt."""

from pathlib import Path

import pytest

from lab.definitions import App, BenchSpec
from lab.definitions.yaml import read
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.default_network import DefaultNetwork
from lab.phone.netstats import Account, Bucket, carried, parse, take
from tests.lab.phone.handset import Handset

SCENARIOS = Path(__file__).parents[3] / "scenarios"
MOBILE = "[{type=0, ratType=COMBINED, subscriberId=001010..., metered=true, defaultNetwork=true, subId=1}]"
WIFI = '[{type=1, ratType=COMBINED, wifiNetworkKey="lab"wpa2-psk, metered=false, defaultNetwork=true}]'
OLD = "[[type=MOBILE, subType=COMBINED, subscriberId=001010...]]"
DUMP = f"""\
Active interfaces:
  iface=rmnet1 ident={MOBILE}
Xt stats:
  Pending bytes: 12
  History since boot:
  ident={MOBILE} uid=-1 set=ALL tag=0x0
    NetworkStatsHistory: bucketDuration=3600
      st=1767571200 rb=999999 rp=99 tb=99999 tp=99 op=0
UID stats:
  Pending bytes: 12
  History since boot:
  ident={MOBILE} uid=10240 set=FOREGROUND tag=0x0
    NetworkStatsHistory: bucketDuration=7200
      (omitting 3 buckets)
      st=1767571200 rb=4000 rp=40 tb=2000 tp=20 op=0
      st=1767578400 rb=10 rp=1 tb=20 tp=1 op=0
  ident={MOBILE} uid=10240 set=FOREGROUND tag=0x9a0
    NetworkStatsHistory: bucketDuration=7200
      st=1767571200 rb=7 rp=1 tb=7 tp=1 op=0
  ident={WIFI} uid=10240 set=DEFAULT tag=0x0
    NetworkStatsHistory: bucketDuration=7200
      st=1767571200 rb=300 rp=3 tb=100 tp=1 op=0
  ident={WIFI} uid=10241 set=DEFAULT tag=0x0
    NetworkStatsHistory: bucketDuration=7200
      st=1767571200 rb=8 rp=1 tb=8 tp=1 op=0
UID tag stats:
  ident={MOBILE} uid=10240 set=DEFAULT tag=0x0
      st=1767571200 rb=5 rp=1 tb=5 tp=1 op=0
"""
LTE = DefaultNetwork("rmnet1", "cellular")
FIRST, WLAN = Bucket("cellular", f"{MOBILE} FOREGROUND", 1767571200), Bucket("wifi", f"{WIFI} DEFAULT", 1767571200)
SECOND = Bucket("cellular", f"{MOBILE} FOREGROUND", 1767578400)


def test_the_untagged_buckets_of_one_uid_are_read():
    assert parse(DUMP, 10240) == {FIRST: 6000, SECOND: 30, WLAN: 400}
    assert parse(DUMP, 10300) == {}


@pytest.mark.parametrize(("identity", "kind"), [(OLD, "cellular"), ("[{type=7, x=1}]", "type 7"), ("[]", "unknown")])
def test_kinds_of_networks_are_named(identity, kind):
    text = f"UID stats:\n ident={identity} uid=1 set=ALL tag=0x0\n  st=0 rb=1 rp=1 tb=1 tp=1 op=0\n"
    assert [bucket.kind for bucket in parse(text, 1)] == [kind]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Can't find service: netstats", "has no section 'UID stats'"),
        (DUMP.replace("rb=10 rp=1", "rb=-10 rp=1"), "has a bucket that cannot be read: ' st=1767578400 rb=-10"),
    ],
)
def test_a_dump_that_cannot_be_read_is_trouble_with_the_phone(text, message):
    with pytest.raises(PhoneTrouble, match=message):
        parse(text, 10240)


def test_a_call_across_two_buckets_is_counted_whole():
    assert carried("pixel6", Account(LTE, {FIRST: 1000}), Account(LTE, {FIRST: 6000, SECOND: 30})) == 5030
    assert carried("pixel6", Account(LTE, {FIRST: 1000}), Account(LTE, {FIRST: 1000, SECOND: 1})) == 1


ONE_BYTE = "the app on pixel6 used 1 bytes over wifi; only rmnet1 (cellular) is captured: switch the other network off"


@pytest.mark.parametrize(
    ("after", "reason", "text"),
    [
        (
            Account(LTE, {FIRST: 6000, WLAN: 500}),
            "not_all_captured",
            "the app on pixel6 used 100 bytes over wifi; only rmnet1 (cellular) is captured: "
            "switch the other network off",
        ),
        (
            Account(DefaultNetwork("wlan0", "wifi"), {FIRST: 6000, WLAN: 400}),
            "network_changed",
            "pixel6 left over cellular (rmnet1), then over wifi (wlan0)",
        ),
        (
            Account(DefaultNetwork("rmnet2", "cellular"), {FIRST: 6000, WLAN: 400}),
            "network_changed",
            "pixel6 left over cellular (rmnet1), then over cellular (rmnet2)",
        ),
        (Account(LTE, {FIRST: 6000, WLAN: 401}), "not_all_captured", ONE_BYTE),
        (
            Account(LTE, {FIRST: 1000, WLAN: 400}),
            "not_accounted",
            "pixel6 counted no byte of the app in a whole call",
        ),
        (Account(LTE, {FIRST: 999}), "not_accounted", "pixel6: its counters of bytes by app run backwards"),
    ],
)
def test_bytes_that_no_capture_saw_void_the_attempt(after, reason, text):
    with pytest.raises(AttemptVoid) as raised:
        carried("pixel6", Account(LTE, {FIRST: 1000, WLAN: 400}), after)
    assert (raised.value.reason, str(raised.value)) == (reason, text)


def test_a_call_that_was_over_at_once_may_have_carried_nothing_and_nothing_another_way():
    before = Account(LTE, {FIRST: 1000, WLAN: 400})
    assert carried("pixel6", before, before, may_be_none=True) == 0
    with pytest.raises(AttemptVoid, match="used 1 bytes over wifi"):
        carried("pixel6", before, Account(LTE, {FIRST: 1000, WLAN: 401}), may_be_none=True)


APP = read(SCENARIOS / "apps/whatsapp.yaml", App)
SPEC = read(SCENARIOS / "benches/virtual.yaml", BenchSpec).phone("pixel6")
PM = "pm list packages -U com.whatsapp"
ANSWERS = {
    PM: "package:com.whatsapp uid:10240\n",
    "dumpsys netstats --poll": "Forced poll\n",
    "dumpsys netstats --uid": DUMP,
    "ip route get 192.0.2.1": "192.0.2.1 dev rmnet1 src 100.64.3.4 uid 2000",
    "dumpsys connectivity": "Active default network: 100\n  NetworkAgentInfo{network{100}  "
    "lp{{InterfaceName: rmnet1 }}  nc{{[ Transports: CELLULAR Capabilities: INTERNET ]}}",
}


def test_an_account_is_taken_by_the_phones_own_counters_and_then_its_default_network():
    handset = Handset(answers=ANSWERS)
    assert take(handset, SPEC, APP) == Account(LTE, {FIRST: 6000, SECOND: 30, WLAN: 400})
    assert handset.done == list(ANSWERS)


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        (
            {PM: "package:com.whatsapp.w4b uid:10250\n"},
            "pixel6: pm names no uid of com.whatsapp: 'package:com.whatsapp.w",
        ),
        ({"dumpsys netstats --poll": "Unknown option"}, "pixel6: dumpsys netstats --poll says 'Unknown option'"),
    ],
)
def test_a_phone_that_gives_no_account_is_trouble(answers, text):
    with pytest.raises(PhoneTrouble, match=text):
        take(Handset(answers=ANSWERS | answers), SPEC, APP)
