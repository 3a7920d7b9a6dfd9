"""The facts on records in the report: sums over all of them, the strongest and the doubtful ones, and rows to show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.output.evidence import LEAST, Evidence
from virnucpro_tasks.output.records import SCORE_COLUMN, score_column
from virnucpro_tasks.reads.tables import Status
from virnucpro_tasks.report.rows import PLACE, RECORD_FIELDS, BestRows, column_names, read_rows

SCORE = "score"
"""The column of the score by which records are called: `score_column` says which."""

SCORE_BINS = 20
LENGTH_BINS_A_DECADE = 20
LENGTH_BINS = 9 * LENGTH_BINS_A_DECADE
LENGTH_CLASSES = (0, 500, 1_000, 3_000, 10_000, 30_000, 100_000)
"""Bases from which a class of lengths begins."""

MOST_ROWS = 2_000
"""Records up to which all are shown."""
STRONGEST_ROWS, DOUBTFUL_ROWS = 1_000, 500
"""Rows that are shown of more records."""

STATUSES = tuple(Status)
CALLS = ("virus", "others")
LEVELS = tuple(Evidence)
LOWEST = len(LEVELS) - 1

LEVEL = "level"
"""The column of a row's place in LEVELS; null for a record without a score."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record as a row of records.tsv tells of it; `place` is the number of the row. What is NA there is None.

    `score` is P(virus), `evidence` one of LEVELS.
    """

    place: int
    sample: str
    record: int
    record_id: bytes
    description: bytes
    input: bytes
    mate: int | None
    length: int
    status: str
    chunks: int
    scored_chunks: int
    virus_chunks: int
    scored_fraction: float
    highest: float | None
    score: float | None
    call: str | None
    evidence: str | None
    reason: bytes


@dataclass(slots=True)
class RecordSums:
    """Sums over all records. `records` and `bases` are by status and `called` by call, places in STATUSES and CALLS.

    `covered` are bases in scored chunks. `evidence` counts by call and level, `scores` by call and bin of the score,
    `lengths` by class of length and call, those without a call last, and `plane` by call, bin of the length's logarithm
    and bin of the score.
    """

    records: Counts = field(default_factory=lambda: np.zeros(len(STATUSES), np.int64))
    bases: Counts = field(default_factory=lambda: np.zeros(len(STATUSES), np.int64))
    called: Counts = field(default_factory=lambda: np.zeros((2, len(CALLS)), np.int64))
    covered: int = 0
    evidence: Counts = field(default_factory=lambda: np.zeros((len(CALLS), len(LEVELS)), np.int64))
    scores: Counts = field(default_factory=lambda: np.zeros((len(CALLS), SCORE_BINS), np.int64))
    lengths: Counts = field(default_factory=lambda: np.zeros((len(LENGTH_CLASSES), len(CALLS) + 1), np.int64))
    plane: Counts = field(default_factory=lambda: np.zeros((len(CALLS), LENGTH_BINS, SCORE_BINS), np.int64))

    def add(self, rows: pa.Table) -> None:
        """Count rows of records.tsv with LEVEL."""
        self.count(
            length=rows["length"].to_numpy(),
            status=_places(rows["status"], STATUSES),
            call=_places(rows["call"], CALLS),
            level=rows[LEVEL].to_numpy(),
            scored_fraction=rows["scored_fraction"].to_numpy(),
            score=rows[SCORE].to_numpy(),
        )

    def count(
        self,
        *,
        length: Counts,
        status: Counts,
        call: Counts,
        level: Counts,
        scored_fraction: npt.NDArray[np.float64],
        score: npt.NDArray[np.float64],
    ) -> None:
        """Count n records, (n,) each: `status`, `call` and `level` are places in STATUSES, CALLS and LEVELS.

        A record without a call has their number in its place, and its level and score do not count.
        """
        self.records += np.bincount(status, minlength=len(STATUSES))
        np.add.at(self.bases, status, length)
        _count(self.lengths, np.searchsorted(LENGTH_CLASSES, length, side="right") - 1, call)
        self.covered += int(np.rint(length * scored_fraction).sum())
        is_called = call < len(CALLS)
        call, length = call[is_called], length[is_called]
        self.called[0] += np.bincount(call, minlength=len(CALLS))
        np.add.at(self.called[1], call, length)
        _count(self.evidence, call, level[is_called])
        scores = _bins(score[is_called])
        _count(self.scores, call, scores)
        logarithms = (np.log10(np.maximum(length, 1)) * LENGTH_BINS_A_DECADE).astype(np.int64)
        _count(self.plane, call, np.minimum(logarithms, LENGTH_BINS - 1), scores)

    @property
    def total(self) -> int:
        """Records."""
        return int(self.records.sum())


@dataclass(frozen=True, slots=True)
class Records:
    """Records of a job, for its report.

    `rows` are all in input order if they are no more than MOST_ROWS, else the strongest and the doubtful ones.
    `strongest` are called virus, by evidence and score, with low evidence only if none has more; `doubtful` are called
    virus with low evidence, by length, and none of the strongest. `has_evidence` and `has_record_score` are False for
    tables of earlier versions, whose evidence follows the present rule, and whose scores are means over frames.
    """

    sums: RecordSums
    rows: list[RecordRow]
    strongest: list[RecordRow]
    doubtful: list[RecordRow]
    has_evidence: bool
    has_record_score: bool

    @property
    def has_all_rows(self) -> bool:
        return len(self.rows) == self.sums.total


def read_records(table: Path, *, most_shown: int) -> Records:
    """Read records.tsv in one pass; `most_shown` are listed as strongest, and as doubtful. Raises InputError."""
    sums = RecordSums()
    first, best = BestRows(MOST_ROWS + 1, []), _Best(most_shown)
    has_evidence, column = True, score_column(column_names(table))
    for rows in _with_score(_with_level(read_rows(table, RECORD_FIELDS)), column):
        _require_possible(rows, table)
        sums.add(rows)
        has_evidence = has_evidence and rows["evidence"].null_count == 0
        if sums.total <= MOST_ROWS:
            first.add(rows)
        best.add(rows)
    everything = [_row(row) for row in first.rows()] if sums.total <= MOST_ROWS else []
    return best.records(sums, everything, has_evidence=has_evidence, has_record_score=column == SCORE_COLUMN)


def records_of_rows(rows: pa.Table, table: Path, sums: RecordSums, *, most_shown: int) -> Records:
    """Return the records of a page from the sums over all of them, if they are more than MOST_ROWS, and from `rows` of
    records.tsv, among which are those that are shown. Raises InputError.
    """
    best = _Best(most_shown)
    for some in _with_score(_with_level([rows]), SCORE_COLUMN):
        _require_possible(some, table)
        best.add(some)
    return best.records(sums, [], has_evidence=True, has_record_score=True)


class _Best:
    """The strongest and the doubtful of all rows that are added, with LEVEL and SCORE."""

    def __init__(self, most_shown: int) -> None:
        self._most_shown = most_shown
        self._strongest = BestRows(
            STRONGEST_ROWS,
            [(LEVEL, "ascending"), (SCORE, "descending"), ("scored_chunks", "descending"), ("length", "descending")],
        )
        self._doubtful = BestRows(DOUBTFUL_ROWS + most_shown, [("length", "descending"), (SCORE, "descending")])

    def add(self, rows: pa.Table) -> None:
        """Take rows into account."""
        virus = rows.filter(pc.equal(rows["call"], b"virus"))
        self._strongest.add(virus)
        self._doubtful.add(virus.filter(pc.equal(virus[LEVEL], LOWEST)))

    def records(
        self, sums: RecordSums, everything: list[RecordRow], *, has_evidence: bool, has_record_score: bool
    ) -> Records:
        """The records to show: `everything`, or if that is empty those that are kept."""
        most_shown = self._most_shown
        best = [_row(row) for row in self._strongest.rows()]
        shown = [row for row in best if row.evidence != LEVELS[LOWEST]][:most_shown] or best[:most_shown]
        places = {row.place for row in shown}
        low = [row for row in map(_row, self._doubtful.rows()) if row.place not in places][:DOUBTFUL_ROWS]
        some = {row.place: row for row in (*best, *low)}
        return Records(sums, everything or list(some.values()), shown, low[:most_shown], has_evidence, has_record_score)


def _with_level(batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Rows of records.tsv with LEVEL: by the column `evidence`, or by today's rule where that is missing."""
    for rows in batches:
        written = pc.index_in(rows["evidence"], pa.array([level.encode() for level in LEVELS]))
        by_rule = np.full(rows.num_rows, LOWEST, np.int32)
        chunks, fraction = rows["scored_chunks"].to_numpy(), rows["scored_fraction"].to_numpy()
        for level, (least_chunks, least_fraction) in reversed(LEAST.items()):
            by_rule[(chunks >= least_chunks) & (fraction >= least_fraction)] = LEVELS.index(level)
        level = pc.coalesce(written, pa.array(by_rule))
        yield rows.append_column(LEVEL, level)


def _with_score(batches: Iterable[pa.Table], column: str) -> Iterator[pa.Table]:
    """The rows with SCORE, which is `column`."""
    for rows in batches:
        yield rows.append_column(SCORE, rows[column])


def _require_possible(rows: pa.Table, table: Path) -> None:
    """Raise InputError for rows that a job does not write."""
    is_called = _places(rows["call"], CALLS) < len(CALLS)
    is_right = _places(rows["status"], STATUSES) < len(STATUSES)
    is_right &= rows["length"].to_numpy() >= 0
    is_right &= _is_share(rows["scored_fraction"].to_numpy())
    # A record that is called by segments has no mean over frames.
    has_mean = _is_share(rows["mean_viral_score"].to_numpy()) | (rows["scored_chunks"].to_numpy() == 0)
    has_scores = _is_share(rows[SCORE].to_numpy()) & has_mean
    is_right &= ~is_called | (has_scores & (rows["chunks"].to_numpy() > 0))
    if not is_right.all():
        raise InputError("it has values that no record has: it was changed", file=str(table))


def _is_share(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return (values >= 0) & (values <= 1)


def _row(row: dict[str, Any]) -> RecordRow:
    call = row["call"].decode(errors="replace")
    is_scored = call in CALLS
    return RecordRow(
        place=row[PLACE],
        sample=(row["sample"] or b"").decode(errors="backslashreplace"),
        record=row["record"],
        record_id=row["record_id"],
        description=row["description"] or b"",
        input=row["input"],
        mate=row["mate"],
        length=row["length"],
        status=row["status"].decode(),
        chunks=row["chunks"],
        scored_chunks=row["scored_chunks"],
        virus_chunks=row["virus_chunks"],
        scored_fraction=row["scored_fraction"],
        highest=row["highest_viral_score"],
        score=row[SCORE],
        call=call if is_scored else None,
        evidence=LEVELS[row[LEVEL]].value if is_scored else None,
        reason=row["reason"],
    )


def _places(column: pa.ChunkedArray, values: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """The place of each value in `values`, or their number for another one."""
    found = pc.index_in(column, pa.array([value.encode() for value in values]))
    return pc.fill_null(found, len(values)).to_numpy().astype(np.int64)


def _count(counts: Counts, *places: Counts) -> None:
    """Add 1 to `counts` at each of some places, for which there is an array for each of its dimensions."""
    counts += np.bincount(np.ravel_multi_index(places, counts.shape), minlength=counts.size).reshape(counts.shape)


def _bins(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.minimum((scores * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
