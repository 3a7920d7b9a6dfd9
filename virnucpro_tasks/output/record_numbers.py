"""Numbers of complete records that the page of a report sums up, as they stand in records.tsv."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.output.evidence import LEAST, Evidence
from virnucpro_tasks.output.records import WrittenRecords
from virnucpro_tasks.output.scored import STATUSES

CALLED = ("virus", "others")
"""A call as a number is its place here, or their number without one."""

LEVELS = tuple(Evidence)

_FRACTION_UNITS = 10_000
_NEAR_HALF = 1e-6


@dataclass(frozen=True, slots=True)
class RecordNumbers:
    """Numbers of n records in order, column by column, (n,) each.

    `status` is a place in STATUSES, `call` one in CALLED or their number, and `level`, of called records alone, one in
    LEVELS, all int64; `length` and `scored_chunks` are int64. `scored_fraction` and `score` are float64, rounded as in
    records.tsv; without a call the score is NaN.
    """

    length: npt.NDArray[np.int64]
    status: npt.NDArray[np.int64]
    call: npt.NDArray[np.int64]
    level: npt.NDArray[np.int64]
    scored_chunks: npt.NDArray[np.int64]
    scored_fraction: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]

    @classmethod
    def of(cls, written: WrittenRecords) -> RecordNumbers:
        """Those of `written`."""
        length, scored_chunks, covered = (
            np.array(list(map(attrgetter(name), written.records)), np.int64)
            for name in ("length", "scored_chunks", "coverage.bases")
        )
        fraction = covered / np.maximum(length, 1)
        call = np.array([_CALL_PLACES[call] for call in written.calls], np.int64)
        is_called = call < len(CALLED)
        score = np.full(len(written), np.nan)
        score[is_called] = list(map(float, compress(written.score_texts, is_called.tolist())))
        return cls(
            length=length,
            status=np.array([_STATUS_PLACES[record.status] for record in written.records], np.int64),
            call=call,
            level=_levels(scored_chunks, fraction),
            scored_chunks=scored_chunks,
            scored_fraction=_rounded(fraction, written.fraction_texts),
            score=score,
        )

    def __len__(self) -> int:
        return len(self.length)


_STATUS_PLACES = {status: place for place, status in enumerate(STATUSES)}
_CALL_PLACES = {True: CALLED.index("virus"), False: CALLED.index("others"), None: len(CALLED)}


def _rounded(fractions: npt.NDArray[np.float64], texts: list[bytes]) -> npt.NDArray[np.float64]:
    """Shares of a whole (n,), rounded to four decimals as their `texts` are."""
    scaled = fractions * _FRACTION_UNITS
    rounded: npt.NDArray[np.float64] = np.rint(scaled) / _FRACTION_UNITS
    # Near the middle between two units the product may lie on the other side of it.
    for place in np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) < _NEAR_HALF).tolist():
        rounded[place] = float(texts[place])
    return rounded


def _levels(scored_chunks: npt.NDArray[np.int64], scored_fraction: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The place in LEVELS that `evidence_of` has for each record."""
    found = np.full(len(scored_chunks), LEVELS.index(Evidence.LOW))
    for level, (chunks, fraction) in reversed(LEAST.items()):
        found[(scored_chunks >= chunks) & (scored_fraction >= fraction)] = LEVELS.index(level)
    return found
