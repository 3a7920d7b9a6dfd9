"""The frames that the input has, by the ids that the earlier tools give them: what a vector must be of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from virnucpro_tasks.earlier.reasons import Reason
from virnucpro_tasks.reads.batches import frame_batches
from virnucpro_tasks.reads.inputs import ReadInput, wanted_originals
from virnucpro_tasks.reads.originals import ALL_RECORDS, Wanted
from virnucpro_tasks.reads.tables import FRAME_NAMES, FrameBatch
from virnucpro_tasks.shards.imported import sequence_digests
from virnucpro_tasks.shards.kinds import NUCLEOTIDE, PROTEIN

LONGEST_PROTEIN = 1_022
"""Residues; longer proteins are computed whole by the original, and cut to 1,024 or 1,022 by the package."""

_URACILS = b"Uu"
_FRAME_SUFFIXES = tuple(name.encode() for name in FRAME_NAMES)


@dataclass(frozen=True, slots=True)
class ExpectedFrames:
    """The n frames of an input, sorted by the digests of their ids.

    `ids` (n, 2) uint64 are these digests; `sequences` has those of the slices and proteins by kind, (n, 2) uint64.
    `lengths` (n,) int64 are residues. `repeated` and `uracil` (n,) bool tell of an id that another frame has too, and
    of a record with U.
    """

    ids: npt.NDArray[np.uint64]
    sequences: dict[str, npt.NDArray[np.uint64]]
    lengths: npt.NDArray[np.int64]
    repeated: npt.NDArray[np.bool_]
    uracil: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, inputs: Sequence[ReadInput], *, chunk_length: int, min_length: int) -> Self:
        """Cut and translate all inputs. Raises as `frame_batches` does."""
        parts = [_Part.of(batch) for batch in frame_batches(inputs, chunk_length=chunk_length, min_length=min_length)]
        ids = _joined([part.ids for part in parts], np.uint64, (0, 2))
        records = _joined([part.records for part in parts], np.int64, (0,))
        lengths = _joined([part.lengths for part in parts], np.int64, (0,))
        nucleotides = _joined([part.nucleotides for part in parts], np.uint64, (0, 2))
        proteins = _joined([part.proteins for part in parts], np.uint64, (0, 2))
        with_uracil = list(_records_with_uracil(inputs))
        order = np.lexsort((ids[:, 1], ids[:, 0]))
        ids = ids[order]
        same = (ids[1:] == ids[:-1]).all(axis=1)
        return cls(
            ids=ids,
            sequences={NUCLEOTIDE: nucleotides[order], PROTEIN: proteins[order]},
            lengths=lengths[order],
            repeated=np.r_[False, same] | np.r_[same, False] if len(ids) else np.zeros(0, bool),
            uracil=np.isin(records[order], with_uracil),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def places(self, ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """The frame of each id, -1 for one that no frame has."""
        digests = sequence_digests([name.encode(errors="replace") for name in ids])
        if not len(self) or not len(digests):
            return np.full(len(digests), -1, np.int64)
        found = np.searchsorted(self.ids[:, 0], digests[:, 0])
        found = np.minimum(found, len(self) - 1)
        return np.where((self.ids[found] == digests).all(axis=1), found, -1)

    def objections(self, kind: str, places: npt.NDArray[np.int64]) -> list[tuple[Reason, npt.NDArray[np.bool_]]]:
        """Find reasons against vectors of `kind` for these frames, whatever the file, each with a mask (k,)."""
        known = places >= 0
        found = [
            (Reason.UNKNOWN_ID, ~known),
            (Reason.AMBIGUOUS_ID, known & self._at(self.repeated, places)),
            (Reason.URACIL, known & self._at(self.uracil, places)),
        ]
        if kind == PROTEIN:
            found.append((Reason.LONG_PROTEIN, known & self._at(self.lengths > LONGEST_PROTEIN, places)))
        return found

    def _at(self, values: npt.NDArray[np.bool_], places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return values[places] if len(values) else np.zeros(len(places), bool)


@dataclass(frozen=True, slots=True)
class _Part:
    ids: npt.NDArray[np.uint64]
    records: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    nucleotides: npt.NDArray[np.uint64]
    proteins: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, batch: FrameBatch) -> Self:
        return cls(
            ids=sequence_digests(frame_ids(batch)),
            records=batch.frames["record_ordinal"].to_numpy().astype(np.int64),
            lengths=pc.binary_length(batch.frames["protein"]).to_numpy().astype(np.int64),
            nucleotides=sequence_digests(batch.frames["nucleotides"].to_pylist()),
            proteins=sequence_digests(batch.frames["protein"].to_pylist()),
        )


def frame_ids(batch: FrameBatch) -> list[bytes]:
    """The ids of the frames of `batch` in the earlier tools: record, chunk from 1, frame."""
    rows = np.repeat(np.arange(batch.chunks.num_rows), batch.chunks["frames"].to_numpy())
    records = batch.chunks["record_id"].take(pa.array(rows)).to_pylist()
    chunks, frames = batch.frames["chunk"].to_pylist(), batch.frames["frame"].to_pylist()
    return [
        b"%b_chunk_%d%b" % (record, chunk, _FRAME_SUFFIXES[frame])
        for record, chunk, frame in zip(records, chunks, frames, strict=True)
    ]


def _records_with_uracil(inputs: Sequence[ReadInput]) -> Iterator[int]:
    originals = chain.from_iterable(wanted_originals(inputs, Wanted(ALL_RECORDS)))
    for number, original in enumerate(originals):
        if any(letter in original.sequence for letter in _URACILS):
            yield number


def _joined(parts: list[npt.NDArray], dtype: type, empty: tuple[int, ...]) -> npt.NDArray:
    return np.concatenate(parts) if parts else np.zeros(empty, dtype)
