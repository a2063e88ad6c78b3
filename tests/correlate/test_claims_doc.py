"""docs/claims.md speaks of every claim that is counted, and of no other."""

import re
from pathlib import Path

from correlate.tables.cell_claims import CELL_CLAIMS
from correlate.tables.claim_list import CLAIMS

PAGE = Path(__file__).parents[2] / "docs/claims.md"


def test_the_page_has_every_claim_in_its_section():
    section, found = "", set()
    for line in PAGE.read_text().splitlines():
        section = match[1] if (match := re.match(r"## Section ([\d.]+),", line)) else section
        if match := re.match(r"\| `(\w+)` \|", line):
            found.add((section, match[1]))
    assert found == {(claim.section, claim.name) for claim in (*CLAIMS, *CELL_CLAIMS)}
