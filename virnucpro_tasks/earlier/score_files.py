"""Reads the two result files of all tools: scores by frame, and calls by chunk with two or four columns, in any order.

They are told apart by their headers. The original and the package write scores with different digits; read as float32,
both are the scores that were computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.errors import InputError, printable
from virnucpro_tasks.shards.imported import sequence_digests

FRAME_COLUMNS = (b"Sequence_ID", b"score1", b"score2")
LABEL_COLUMN, VIRUS = b"Prediction", b"virus"
CHUNK_COLUMNS = (b"Modified_ID", b"Is_Virus")
SUM_TOLERANCE = 1e-3
"""Both scores of a frame add up to one, but for their digits."""

FRAME_NAME_BYTES = 2
_TRUTH = {b"True": True, b"False": False}
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class FrameScores:
    """Scores by frame: `ids` (n, 2) uint64 digests in ascending order, `scores` (n, 2) float32, P(others), P(virus).

    `chunks` (n, 2) uint64 are digests of the ids without the frame.
    """

    ids: npt.NDArray[np.uint64]
    chunks: npt.NDArray[np.uint64]
    scores: npt.NDArray[np.float32]
    mislabelled: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def places(self, ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """The place of each id, given by its digest (k, 2); -1 for one that is not there."""
        if not len(self):
            return np.full(len(ids), -1, np.int64)
        found = np.minimum(np.searchsorted(self.ids[:, 0], ids[:, 0]), len(self) - 1)
        return np.where((self.ids[found] == ids).all(axis=1), found, -1)

    def other_calls(self, calls: dict[bytes, bool]) -> int:
        """How many of the chunks in `calls` these scores call otherwise, or do not have."""
        chunks, rows = np.unique(self.chunks, axis=0, return_inverse=True)
        highest = np.zeros((len(chunks), 2), np.float32)
        np.maximum.at(highest, rows.reshape(-1), self.scores)
        virus = {key.tobytes(): bool(two >= one) for key, (one, two) in zip(chunks, highest, strict=True)}
        digests = sequence_digests(list(calls))
        return sum(virus.get(key.tobytes()) is not call for key, call in zip(digests, calls.values(), strict=True))


def is_score_file(path: Path) -> bool:
    """Whether `path` has the header of scores by frame."""
    return _has_columns(path, FRAME_COLUMNS)


def is_call_file(path: Path) -> bool:
    """Whether `path` has the header of calls by chunk."""
    return _has_columns(path, CHUNK_COLUMNS)


def read_frame_scores(path: Path) -> FrameScores:
    """Read scores by frame. Raises InputError that names the line for rows that are cut, repeated or no scores."""
    ids: list[bytes] = []
    texts: list[tuple[bytes, bytes]] = []
    labels: list[bool] = []
    has_labels = _has_columns(path, (LABEL_COLUMN,))
    for line, (name, first, second, *label) in _rows(path, (*FRAME_COLUMNS, *[LABEL_COLUMN] * has_labels)):
        if len(name) <= FRAME_NAME_BYTES:
            raise InputError("there is no id of a frame", file=str(path), line=line)
        ids.append(name)
        texts.append((first, second))
        labels += [text == VIRUS for text in label]
    try:
        scores = np.array(texts, dtype="S32").reshape(-1, 2).astype(np.float64)
    except ValueError:
        scores = np.full((len(texts), 2), np.nan)
        for place, pair in enumerate(texts):
            try:
                scores[place] = [float(text) for text in pair]
            except ValueError:
                break
    wrong = ~((scores >= 0).all(axis=1) & (np.abs(scores.sum(axis=1) - 1) <= SUM_TOLERANCE))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        shown = b" and ".join(texts[place]).decode(errors="replace")[:_SHOWN]
        raise InputError(
            f"{printable(shown)} are no two scores that add up to one",
            file=str(path),
            line=place + 2,
            hint="was the file cut off, or written by another tool?",
        )
    digests = sequence_digests(ids)
    order = np.lexsort((digests[:, 1], digests[:, 0]))
    digests = digests[order]
    repeated = np.flatnonzero((digests[1:] == digests[:-1]).all(axis=1))
    if len(repeated):
        place = int(order[repeated[0] + 1])
        raise InputError(
            f"the frame {printable(ids[place].decode(errors='replace'))[:_SHOWN]} is listed twice",
            file=str(path),
            line=place + 2,
            hint="two records had the same id: whose scores these are cannot be told",
        )
    chunks = sequence_digests([name[:-FRAME_NAME_BYTES] for name in ids])
    others, virus = scores.T
    mislabelled = int((((virus > others) != labels) & (virus != others)).sum()) if has_labels else 0
    return FrameScores(digests, chunks[order], scores[order].astype(np.float32), mislabelled)


def read_calls(path: Path) -> dict[bytes, bool]:
    """Read calls by chunk, with or without their scores. Raises InputError as `read_frame_scores` does."""
    calls = {}
    for line, (name, call) in _rows(path, CHUNK_COLUMNS):
        if call not in _TRUTH:
            raise InputError("Is_Virus is neither True nor False", file=str(path), line=line)
        calls[name] = _TRUTH[call]
    return calls


def _has_columns(path: Path, columns: tuple[bytes, ...]) -> bool:
    try:
        with path.open("rb") as file:
            header = file.readline(4_096)
    except OSError:
        return False
    return set(columns) <= set(header.rstrip(b"\r\n").split(b"\t"))


def _rows(path: Path, columns: tuple[bytes, ...]) -> Iterator[tuple[int, list[bytes]]]:
    """The number of each line behind the header and its fields in `columns`."""
    with path.open("rb") as file:
        header = file.readline().rstrip(b"\r\n").split(b"\t")
        if not set(columns) <= set(header):
            names = ", ".join(name.decode() for name in columns)
            raise InputError(f"it has no columns {names}, separated by tabs", file=str(path), line=1)
        places = [header.index(name) for name in columns]
        for line, text in enumerate(file, start=2):
            fields = text.rstrip(b"\r\n").split(b"\t")
            if len(fields) != len(header) or not text.endswith(b"\n"):
                raise InputError(
                    f"the line has {len(fields)} fields, the header {len(header)}"
                    if len(fields) != len(header)
                    else "the line has no end: the file was cut off",
                    file=str(path),
                    line=line,
                    hint="copy the file again",
                )
            yield line, [fields[place] for place in places]
