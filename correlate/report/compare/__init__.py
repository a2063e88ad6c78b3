"""What changed between two datasets of one matrix: claims, measures, and what else is not the same."""

from correlate.report.compare.comparison import Comparison, compare
from correlate.report.compare.files import as_json, write_junit
from correlate.report.compare.sentences import lines

__all__ = ["Comparison", "as_json", "compare", "lines", "write_junit"]
