"""The legacy files: the two result files of the existing tools, column for column and digit for digit.

| | original | broad |
| --- | --- | --- |
| scores in prediction_results.txt | shortest text of a float32 | text of the float32 as a float64 |
| prediction_results_highestscore.csv | two columns, sorted by id as text | four columns, in input order |
| the maxima in it | not written | as pandas reads the scores back, see `read_back` |

The second file is tab-separated despite its name. Both list scored frames and chunks only, know ids by text alone,
quote nothing and end lines with \\n. Chunks of two records with one id are two rows here; the existing tools fail or
merge them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from virnucpro_tasks.classifier.consensus import frame_is_virus
from virnucpro_tasks.models.sizes import CLASSES
from virnucpro_tasks.output.read_back import read_back
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.table import Table, TableStyle

ORIGINAL, BROAD = "original", "broad"
FRAMES_HEADER = b"Sequence_ID\tPrediction\tscore1\tscore2\n"
CHUNKS_HEADERS = {
    ORIGINAL: b"Modified_ID\tIs_Virus\n",
    BROAD: b"Modified_ID\tIs_Virus\tmax_score_0\tmax_score_1\n",
}

LEAST_PLAIN = 1e-3
"""Python and Arrow write numbers from here to one in the same form, without an exponent."""

_LABELS = tuple(label.encode() for label in CLASSES)
_TRUTH = (b"False", b"True")


def frame_lines(rows: ScoredRows, style: TableStyle) -> list[bytes]:
    """The lines of prediction_results.txt: all scored frames."""
    ids = rows.chunk_ids
    labels = [_LABELS[is_virus] for is_virus in frame_is_virus(rows.frame_scores).tolist()]
    texts = score_texts(rows.frame_scores, dialect=style.dialect)
    return [
        b"%b%b\t%b\t%b\t%b" % (ids[row], name, label, others, virus)
        for row, name, label, others, virus in zip(rows.frame_rows, rows.frame_names, labels, *texts, strict=True)
    ]


def chunk_lines(rows: ScoredRows, style: TableStyle) -> list[bytes]:
    """The lines of prediction_results_highestscore.csv in input order: all scored chunks."""
    ids = rows.chunk_ids
    scored = np.flatnonzero(rows.scores.frames > 0)
    called = zip(scored.tolist(), rows.scores.is_virus[scored].tolist(), strict=True)
    if style.dialect == ORIGINAL:
        return [b"%b\t%b" % (ids[row], _TRUTH[is_virus]) for row, is_virus in called]
    others, virus = (
        read_back(maxima[scored]).tolist() for maxima in (rows.scores.highest_others, rows.scores.highest_virus)
    )
    return [
        b"%b\t%b\t%a\t%a" % (ids[row], _TRUTH[is_virus], *scores)
        for (row, is_virus), *scores in zip(called, others, virus, strict=True)
    ]


def score_texts(scores: npt.NDArray[np.float32], *, dialect: str) -> tuple[list[bytes], list[bytes]]:
    """Both columns of `scores` (n, 2) as the dialect writes them."""
    written = _originals if dialect == ORIGINAL else _widened
    others, virus = (written(scores[:, column]) for column in range(scores.shape[1]))
    return others, virus


def _originals(scores: npt.NDArray[np.float32]) -> list[bytes]:
    # str of a NumPy float32 has the fewest digits that tell it from its neighbours.
    return shortest_texts(scores, lambda score: str(score))


def _widened(scores: npt.NDArray[np.float32]) -> list[bytes]:
    return shortest_texts(scores.astype(np.float64), lambda score: repr(float(score)))


def shortest_texts(numbers: npt.NDArray[Any], write: Callable[[Any], str]) -> list[bytes]:
    """Numbers as `write` writes each: with the fewest digits that tell it from its neighbours, of the same type.

    Arrow writes those from a thousandth to one in the same form, all at once and in a tenth of the time.
    """
    texts = pc.cast(pc.cast(pa.array(numbers), pa.string()), pa.binary()).to_pylist()
    for place in np.flatnonzero((numbers < LEAST_PLAIN) | (numbers >= 1)).tolist():
        texts[place] = write(numbers[place]).encode()
    return texts


LEGACY_FRAMES = Table(
    "prediction_results.txt",
    "one row for every scored frame, as the existing tools write it",
    lambda style: FRAMES_HEADER,
    frame_lines,
)
LEGACY_CHUNKS = Table(
    "prediction_results_highestscore.csv",
    "one row for every scored chunk, as the existing tools write it",
    lambda style: CHUNKS_HEADERS[style.dialect],
    chunk_lines,
    is_sorted=lambda style: style.dialect == ORIGINAL,
)
