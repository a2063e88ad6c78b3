"""The paper's Tables 1 to 8, beside the published cells."""

from collections.abc import Callable

from correlate.dataset.proven import Speaks
from correlate.tables.endpoints import table3
from correlate.tables.equipment import table1, table2
from correlate.tables.layout import Table
from correlate.tables.other_scenarios import apart
from correlate.tables.servers import table4, table5
from correlate.tables.study import Study
from correlate.tables.symmetry import table6, table7, table8
from correlate.tables.with_left_out import noted

EQUIPMENT = (table1, table2)
CELLS: tuple[tuple[Callable[[Study], Table], tuple[Speaks, ...]], ...] = (
    (table3, ("scenario",)),
    (apart(table4), ()),
    (apart(table5), ()),
    (apart(table6), ("service",)),
    (apart(table7), ("answered", "service")),
    (apart(table8), ("answered", "service")),
)
"""Each table of trials and what its cells speak of, besides of the call (`correlate.dataset.proven`)."""


def tables(study: Study) -> list[Table]:
    """table1 to table8, in order."""
    return [*(make(study) for make in EQUIPMENT), *(noted(study, make, *speaks_of) for make, speaks_of in CELLS)]
