from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.errors import JobError
from virnucpro_tasks.paths import JobPaths, checked_job_id, new_job_id


def test_new_ids_are_valid_sortable_and_distinct() -> None:
    ids = [new_job_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(checked_job_id(job_id) == job_id for job_id in ids)
    assert ids[0] > "20200101t000000z-aaaaaaaaaaaaaaaa"


@pytest.mark.parametrize(
    "job_id",
    [
        "",
        "../other",
        "20260101t000000z-aaaaaaaaaaaaaaaa/..",
        "20260101t000000z-aaaaaaaaaaaaaaaa\n",
        "x" * 10_000,
        None,
        7,
    ],
)
def test_anything_else_is_refused_before_a_path_is_built(job_id: object) -> None:
    with pytest.raises(JobError, match="not a job id"):
        JobPaths.of(Path("store"), job_id)  # type: ignore[arg-type]
