"""The table of what claims give away is complete, and what it names is there."""

from correlate.report.compare.gives_away import GIVES_AWAY
from correlate.tables.cell_claims import CELL_CLAIMS
from correlate.tables.claim_list import CLAIMS


def test_of_every_claim_it_is_said_in_which_direction_it_gives_away():
    assert list(GIVES_AWAY) == [claim.name for claim in (*CLAIMS, *CELL_CLAIMS)]


def test_a_claim_of_cells_opens_no_leak_as_it_has_no_test():
    assert {GIVES_AWAY[claim.name].direction for claim in CELL_CLAIMS} == {"neither"}


def test_the_claim_that_gives_away_more_is_one_that_gives_away():
    named = {gives.unless for gives in GIVES_AWAY.values()} - {""}
    assert named == {"all_addresses_exposed", "all_addresses_exposed_when_relayed"}
    assert {GIVES_AWAY[name].direction for name in named} == {"more"}
