from __future__ import annotations

from dataclasses import dataclass

from output.tables import Chunk, shard_of

from virnucpro_tasks.output.merge_rules import (
    Coverage,
    best_status,
    first,
    first_with,
    gathered,
    largest,
    merged,
    scored_coverage,
    summed,
)
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.reads.tables import Status


@dataclass(frozen=True, slots=True)
class Values:
    """One value by each rule."""

    record_id: bytes = first(lambda rows: rows.ids)
    start: int = first(lambda rows: rows.starts)
    unscored: int | None = first_with(Status.NO_OPEN_FRAME, lambda rows: rows.chunks.tolist())
    frames: int = summed(lambda rows: rows.scores.frames)
    highest: float = largest(lambda rows: rows.scores.highest_virus)
    status: Status = best_status()
    coverage: Coverage = scored_coverage()


ROWS = [
    Chunk(0, b"a", 1, 0, 500, 1500, [], "no_open_frame"),
    Chunk(0, b"a", 2, 450, 950, 1500, [0.25, 0.5]),
    Chunk(0, b"a", 3, 900, 1400, 1500, [0.75]),
    Chunk(1, b"b", 0, 0, 0, 9, [], "too_short"),
]
FIRST = Values(b"a", 0, 1, 3, 0.75, Status.SCORED, Coverage(950, -1, 1400))
SECOND = Values(b"b", 0, None, 0, 0.0, Status.TOO_SHORT, Coverage(0, -1, -1))


def values_of(rows: list[Chunk]) -> list[Values]:
    return list(gathered(Values, ScoredRows.of(shard_of(rows))))


def test_each_value_is_gathered_over_the_rows_of_its_record() -> None:
    assert values_of(ROWS) == [FIRST, SECOND]
    assert values_of([]) == []


def test_parts_are_merged_to_the_values_of_the_whole() -> None:
    for cut in (1, 2):
        (before,), (after, _) = values_of(ROWS[:cut]), values_of(ROWS[cut:])
        assert merged(before, after) == FIRST


def test_the_overlap_of_two_parts_counts_once() -> None:
    (before,), (after,) = values_of(ROWS[1:2]), values_of(ROWS[2:3])
    assert (before.coverage, after.coverage) == (Coverage(500, 450, 950), Coverage(500, 900, 1400))
    assert merged(before, after).coverage == Coverage(950, 450, 1400)
