from __future__ import annotations

from collections import Counter

from virnucpro_tasks.output.counts import PROBLEMS_KEPT, ResultCounts
from virnucpro_tasks.reads.tables import Status


def test_counts_of_consecutive_records_add_up_and_keep_the_first_problems() -> None:
    counts = ResultCounts(Counter({Status.SCORED: 2}), Counter(), 5, 1, 1, 0, ["a"] * (PROBLEMS_KEPT - 1))
    counts.add(ResultCounts(Counter({Status.SCORED: 1, Status.INVALID: 2}), Counter(), 3, 1, 2, 1, ["b", "c"]))
    assert counts.records == {Status.SCORED: 3, Status.INVALID: 2}
    assert (counts.frames, counts.virus_records, counts.virus_chunks, counts.short_records) == (8, 2, 3, 1)
    assert counts.problems == ["a"] * (PROBLEMS_KEPT - 1) + ["b"]
