"""The paper's Tables 1 to 8, beside the published cells."""

from correlate.tables.endpoints import table3
from correlate.tables.equipment import table1, table2
from correlate.tables.layout import Table
from correlate.tables.servers import table4, table5
from correlate.tables.study import Study
from correlate.tables.symmetry import table6, table7, table8
from correlate.tables.with_left_out import noted

EQUIPMENT = (table1, table2)
CELLS = (table3, table4, table5, table6, table7, table8)


def tables(study: Study) -> list[Table]:
    """table1 to table8, in order."""
    return [*(make(study) for make in EQUIPMENT), *(noted(study, make) for make in CELLS)]
