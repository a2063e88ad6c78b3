from __future__ import annotations

import pytest

from lab.definitions import Trial
from lab.errors import BadInput
from lab.run import calibration, introductions
from lab.run.introductions import introduce, left_out, pair_of, park, parked, require, ring_limit_s, strangers

THERE = ("whatsapp", "pixel6", "pixel6pro")
BACK = ("whatsapp", "pixel6pro", "pixel6")


def test_who_calls_whom_follows_from_a_trials_direction(at):
    trials = [Trial("whatsapp", "voice", direction, "caller_cancels", 1) for direction in at.real.directions()]
    assert [pair_of(at.real, trial) for trial in trials] == [THERE, BACK]


def test_a_pair_that_never_rang_with_a_person_there_is_refused_by_name(at):
    with pytest.raises(BadInput) as caught:
        require(at.lab, at.real, [THERE, BACK, THERE])
    assert str(caught.value).splitlines() == [
        "whatsapp from pixel6 to pixel6pro was never introduced; be there and type: "
        "invoke introduce whatsapp --bench virtual",
        "whatsapp from pixel6pro to pixel6 was never introduced; be there and type: "
        "invoke introduce whatsapp --bench virtual",
    ]
    introduce(at.lab, at.real, THERE, 1.5)
    assert strangers(at.lab, at.real, [THERE, BACK]) == [BACK]
    introduce(at.lab, at.real, BACK, 1.5)
    require(at.lab, at.real, [THERE, BACK])


def test_who_rang_in_one_app_is_a_stranger_in_another_that_has_the_same_number(at):
    introduce(at.lab, at.real, THERE, 1.5)
    birch = ("birch", *THERE[1:])
    assert at.real.phone("pixel6pro").address_in("birch") == at.real.phone("pixel6pro").address_in("whatsapp")
    assert strangers(at.lab, at.real, [THERE, birch]) == [birch]


def test_emulated_phones_need_no_introduction_and_their_steps_keep_their_own_time(at):
    require(at.lab, at.emulated, [THERE])
    introduce(at.lab, at.emulated, THERE, 1.5)
    assert ring_limit_s(at.lab, at.emulated, *THERE) is None
    park(at.lab, at.emulated, *THERE, "did not ring")
    assert parked(at.lab, at.emulated, *THERE) is None


@pytest.mark.parametrize(("ring_s", "limit_s"), [(0.4, 6.0), (2.0, 6.0), (2.001, 6.003), (4.5, 13.5)])
def test_unattended_a_callee_has_three_times_as_long_to_ring_and_no_less_than_six_seconds(at, ring_s, limit_s):
    introduce(at.lab, at.real, THERE, ring_s)
    assert ring_limit_s(at.lab, at.real, *THERE) == limit_s
    assert ring_limit_s(at.lab, at.real, *BACK) is None


def with_another(spec, **changes: str):
    """The bench with another WhatsApp account on its second phone, or with another title of its chat."""
    phone = spec.phones[1]
    contacts = [
        contact.model_copy(update=changes) if contact.app == "whatsapp" else contact for contact in phone.contacts
    ]
    changed = phone.model_copy(update={"contacts": contacts})
    return spec.model_copy(update={"phones": [spec.phones[0], changed]})


@pytest.mark.parametrize("changes", [{"address": "15555550199"}, {"title": "Somebody else"}])
def test_a_pair_whose_callee_has_another_address_or_title_now_is_a_stranger_again(at, changes):
    introduce(at.lab, at.real, THERE, 1.5)
    other = with_another(at.real, **changes)
    assert strangers(at.lab, other, [THERE]) == [THERE]
    assert ring_limit_s(at.lab, other, *THERE) is None
    assert strangers(at.lab, at.real, [THERE]) == []


def test_a_parked_pair_stays_parked_until_it_is_introduced_again(at):
    introduce(at.lab, at.real, THERE, 1.5)
    introduce(at.lab, at.real, BACK, 2.5)
    assert parked(at.lab, at.real, *THERE) is None
    park(at.lab, at.real, *THERE, "did not ring\nwithin 6 s")
    assert (parked(at.lab, at.real, *THERE), parked(at.lab, at.real, *BACK)) == ("did not ring within 6 s", None)
    # It was introduced: a run does not refuse it, but leaves its trials out.
    require(at.lab, at.real, [THERE])
    introduce(at.lab, at.real, THERE, 1.75)
    assert parked(at.lab, at.real, *THERE) is None
    assert [each.ring_s for each in calibration.kept(at.lab, at.real).introductions] == [2.5, 1.75]


def test_parking_a_pair_that_nobody_introduced_writes_nothing(at):
    park(at.lab, at.real, *THERE, "did not ring")
    assert not at.file.exists()


def test_a_callee_without_a_contact_cannot_be_introduced(at):
    with pytest.raises(BadInput, match="bench virtual: pixel6pro has no contact for signal"):
        introduce(at.lab, at.real, ("signal", "pixel6", "pixel6pro"), 1.5)


def test_what_is_left_out_is_told_in_a_line_a_pair(at):
    why = {THERE: "did not ring within 6 s", BACK: "did not ring within 7 s"}
    assert list(left_out(at.real, why, [THERE, THERE, THERE])) == [
        "3 trials are left out, whatsapp from pixel6 to pixel6pro is parked: did not ring within 6 s; "
        "look at the contact, then invoke introduce whatsapp --bench virtual"
    ]
    assert [line[:19] for line in left_out(at.real, why, [THERE, BACK])] == ["1 trial is left out"] * 2
    assert introductions.PARKED == "parked"
