"""Stamps without year, zone or day, by the phone's own date."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.phone.witnesses.dates import of_day_ns, oldest_first, parse_date, stamped
from lab.phone.witnesses.facts import Missing, PhoneDate

NEW_YEAR_S = 1_767_225_600
"""2026-01-01 00:00:00 UTC."""


def seconds(epoch_s: int, utc_offset_s: int, stamp: str) -> float | None:
    found = stamped(f"{stamp} x", PhoneDate(epoch_s, utc_offset_s))
    return None if found is None else found[0] // 1_000_000 / 1e3


def test_a_date_is_read_with_its_zone_and_the_seconds_since_boot():
    assert parse_date("1767225612 +0530\n4321.50 30000.11\n") == PhoneDate(1767225612, 19_800, 4321.5)
    assert parse_date("1767225612 -0330\ncat: /proc/uptime: Permission denied") == PhoneDate(1767225612, -12_600)
    assert parse_date("%s +0000") == Missing("the phone's date cannot be read: '%s +0000'")


@pytest.mark.parametrize(
    ("epoch_s", "utc_offset_s", "stamp", "is_s"),
    [
        (NEW_YEAR_S + 5, 0, "01-01 00:00:04:250", NEW_YEAR_S + 4.25),
        (NEW_YEAR_S + 5, 0, "12-31 23:59:59:000", NEW_YEAR_S - 1),
        (NEW_YEAR_S - 1, 0, "01-01 00:00:01:000", NEW_YEAR_S + 1),  # it came while the dumps were made
        (NEW_YEAR_S - 100, 0, "01-01 00:00:01:000", NEW_YEAR_S + 1 - 365 * 86_400),
        (NEW_YEAR_S - 3600, 7200, "01-01 01:00:00:000", NEW_YEAR_S - 3600),  # New Year has come there already
        (NEW_YEAR_S + 3600, -7200, "12-31 23:00:00", NEW_YEAR_S + 3600),
        (NEW_YEAR_S, 0, "02-29 12:00:00:000", 1_709_208_000),  # of 2024
    ],
)
def test_a_stamp_means_the_last_such_instant_that_is_not_in_the_future(epoch_s, utc_offset_s, stamp, is_s):
    assert seconds(epoch_s, utc_offset_s, stamp) == is_s


@pytest.mark.parametrize(
    "stamp", ["02-30 10:00:00:000", "13-01 10:00:00", "01-01 24:00:00", "1-1 10:00:00", "10:00:00"]
)
def test_what_is_no_date_is_no_stamp(stamp):
    assert seconds(NEW_YEAR_S, 0, stamp) is None


def test_both_forms_of_stamps_leave_what_follows():
    date = PhoneDate(NEW_YEAR_S, 0)
    assert stamped("12-31 10:00:00:123 rec start ", date) == (1_767_175_200_123_000_000, "rec start")
    assert stamped("  12-31 10:00:00 : ADD device 0", date) == (1_767_175_200_000_000_000, "ADD device 0")
    assert stamped("12-31 10:00:00: ADD device 0", date) == (1_767_175_200_000_000_000, "ADD device 0")


def test_a_time_of_day_is_of_the_day_that_is_not_in_the_future():
    noon = PhoneDate(NEW_YEAR_S + 12 * 3600, 3600)  # 13:00 there
    assert of_day_ns(noon, 13, 0, 30, 5) == (NEW_YEAR_S + 12 * 3600 + 30) * 1_000_000_000 + 5_000_000
    assert of_day_ns(noon, 13, 1, 1, 0) == (NEW_YEAR_S - 12 * 3600 + 61) * 1_000_000_000
    assert of_day_ns(noon, 0, 0, 0, 0) == (NEW_YEAR_S - 3600) * 1_000_000_000
    midnight = PhoneDate(NEW_YEAR_S - 3600 - 1, 3600)  # 23:59:59 there
    assert of_day_ns(midnight, 0, 0, 1, 0) == (NEW_YEAR_S - 3600 + 1) * 1_000_000_000
    assert of_day_ns(noon, 24, 0, 0, 0) is None


def test_entries_of_one_instant_keep_the_order_of_a_log_that_runs_one_way():
    up, down = ["1a", "1b", "2c", "3d"], ["3d", "2c", "1b", "1a"]

    def at_ns(entry: str) -> int:
        return int(entry[0])

    assert oldest_first(up, at_ns) == tuple(up)
    assert oldest_first(down, at_ns) == tuple(up)
    assert oldest_first(["1b", "1a"], at_ns) == ("1b", "1a")
    assert oldest_first(["1b", "1a"], at_ns, newest_on_top=True) == ("1a", "1b")
    assert oldest_first(["2c", "3d", "1a"], at_ns) == ("1a", "2c", "3d")


@given(st.text(max_size=60), st.integers(0, 99_999_999_999), st.integers(-360_000, 360_000))
def test_no_text_is_worse_than_missing(text, epoch_s, utc_offset_s):
    assert isinstance(parse_date(text), PhoneDate | Missing)
    stamped(f"12-31 10:00:00 {text}", PhoneDate(epoch_s, utc_offset_s))
    stamped(text, PhoneDate(epoch_s, utc_offset_s))


@given(
    st.integers(0, 4_000_000_000),
    st.integers(-13, 14),
    st.integers(1, 12),
    st.integers(1, 28),
    st.integers(0, 23),
    st.integers(0, 59),
)
def test_no_stamp_lies_in_the_future_nor_more_than_a_year_back(epoch_s, zone, month, day, hour, minute):
    found = seconds(epoch_s, zone * 3600, f"{month:02d}-{day:02d} {hour:02d}:{minute:02d}:00")
    assert found is not None
    assert -366 * 86_400 <= found - epoch_s <= 60
