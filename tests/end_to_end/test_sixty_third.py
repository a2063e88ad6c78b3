"""Sixty generated cases of faults: the third third. Each is played and judged as `benchmarks.generated` says."""

import pytest

from tests.end_to_end.sixty import Job, third


@pytest.mark.parametrize("job", third(2))
def test_a_case_is_complete_as_the_truth_says_or_ends_as_its_fault_should(job: Job) -> None:
    assert job.made()["wrong"] == []
