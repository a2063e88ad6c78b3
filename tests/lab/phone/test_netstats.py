"""Bytes of the app under test, by kind of network: what a phone counts, and what voids an attempt."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.definitions import App, BenchSpec
from lab.definitions.yaml import read
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.default_network import DefaultNetwork
from lab.phone.netstats import Account, Bucket, carried, foreseen, kind_of, parse, take, unreadable
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


NONE = "{type=-1, ratType=COMBINED, metered=false, defaultNetwork=%s, oemManaged=OEM_NONE, subId=-1, transports={%s}}"
# As phones of Android 11 to 16 print them (public dumps; SSID and operator replaced).
KINDS = [
    ('[{type=WIFI, subType=COMBINED, networkId="LAB", metered=false, defaultNetwork=true}]', "wifi"),
    ('[{type=1, subType=0, networkId="LAB", metered=false, defaultNetwork=true, oemManaged=0}]', "wifi"),
    ("[{type=0, ratType=-2, subscriberId=001010..., metered=true, defaultNetwork=true, subId=1}]", "cellular"),
    ('[{type=1, wifiNetworkKey="LAB"wpa2-psk, defaultNetwork=true, subId=-1, transports={1}}]', "wifi"),
    (f"[{NONE % ('true', '1')}]", "wifi"),
    (f"[{NONE % ('false', '1')}]", "wifi that is not the default network"),
    ("[{type=17, metered=true, defaultNetwork=true, transports={0, 4}}]", "vpn over cellular"),
    ("[{type=17, ratType=COMBINED, metered=false, defaultNetwork=true, subId=-1, transports={1, 4}}]", "vpn over wifi"),
    (OLD, "cellular"),
]
# What none of them printed, by the same rule.
CONSTRUCTED = [
    (f"[{NONE % ('true', '3')}]", "ethernet"),
    (f"[{NONE % ('false', '0')}, {NONE % ('true', '0')}]", "cellular"),
    (f"[{NONE % ('true', '0')}, {NONE % ('true', '1')}]", "cellular over wifi"),
    ('[{type=-1, wifiNetworkKey="a, transports={0}, defaultNetwork=false"open, transports={1}}]', "wifi"),
    (f"[{NONE % ('true', '7')}]", "unreadable"),
    (f"[{NONE % ('true', '')}]", "unreadable"),
    ("[{type=-1, metered=true}]", "unreadable"),
    ("[{type=7, x=1}]", "unreadable"),
    ("[]", "unreadable"),
]


@pytest.mark.parametrize(("identity", "kind"), KINDS + CONSTRUCTED)
def test_kinds_of_networks_are_named_by_transports_before_types(identity, kind):
    text = f"UID stats:\n ident={identity} uid=1 set=ALL tag=0x0\n  st=0 rb=1 rp=1 tb=1 tp=1 op=0\n"
    assert [bucket.kind for bucket in parse(text, 1)] == [kind]


# After a public dump of a phone with Android 16 whose Wi-Fi has no legacy type; its uid replaced.
API36 = """\
UID stats:
  Pending bytes: 5029025
  History since boot:
  ident=[{type=-1, ratType=COMBINED, metered=false, defaultNetwork=true, oemManaged=OEM_NONE, subId=-1, \
transports={1}}] uid=10234 set=FOREGROUND tag=0x0
    NetworkStatsHistory: bucketDuration=7200
      st=1783684800 rb=1000 rp=10 tb=460 tp=4 op=0
  ident=[{type=0, ratType=COMBINED, metered=true, defaultNetwork=true, oemManaged=OEM_NONE, subId=1, transports={0}}] \
uid=10234 set=DEFAULT tag=0x0
    NetworkStatsHistory: bucketDuration=7200
      st=1783684800 rb=5 rp=1 tb=6 tp=1 op=0
  ident=[{type=17, ratType=COMBINED, metered=false, defaultNetwork=true, oemManaged=OEM_NONE, subId=-1, \
transports={1, 4}}] uid=10234 set=DEFAULT tag=0x0
    NetworkStatsHistory: bucketDuration=7200
      st=1783684800 rb=5 rp=1 tb=6 tp=1 op=0
UID tag stats:
"""


def test_bytes_of_a_network_without_a_legacy_type_are_read_and_those_of_a_vpn_are_not_added():
    buckets = parse(API36, 10234)
    assert {bucket.kind: size for bucket, size in buckets.items()} == {
        "wifi": 1460,
        "cellular": 11,
        "vpn over wifi": 11,
    }
    wlan = DefaultNetwork("wlan0", "wifi")
    without_lte = {bucket: size for bucket, size in buckets.items() if bucket.kind != "cellular"}
    assert carried("pixel6", Account(wlan, {}), Account(wlan, without_lte)) == 1460


@given(st.text(alphabet='[]{}type=-1,0 rans"defaultNwk', max_size=80))
def test_no_identity_is_more_than_unreadable(identity):
    assert isinstance(kind_of(identity), str)


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


STRANGE = Bucket("unreadable", "[{type=-1}] DEFAULT", 0)


def test_the_identities_that_tell_no_kind_are_named():
    assert unreadable({FIRST: 1, STRANGE: 2}) == ["[{type=-1}] DEFAULT"]


def test_doctor_is_told_before_a_run_what_no_call_could_be_accounted_by():
    interfaces = f"  iface=rmnet1 ident={MOBILE} \n  iface=wlan0 ident=[{NONE % ('true', '9')}] \n"
    handset = Handset(answers={"dumpsys netstats --uid": f"Active UID interfaces:\n{interfaces}Dev stats:\n"})
    assert foreseen(handset, LTE) is None
    shown = "type=-1, ratType=COMBINED, defaultNetwork=true, transports={9}"
    why = f"cannot be read: dumpsys netstats counts the bytes of wlan0 (wifi) for {shown}"
    assert foreseen(handset, DefaultNetwork("wlan0", "wifi")) == why


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
        (
            Account(LTE, {FIRST: 6000, WLAN: 400, STRANGE: 7}),
            "not_accounted",
            "pixel6 counted 7 bytes of the app on a network whose kind cannot be read: doctor names it",
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
PM = "pm list packages -U --user 0 com.whatsapp"
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
