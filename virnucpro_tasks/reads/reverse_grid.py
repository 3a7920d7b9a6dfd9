"""Adds the chunks of a record's reverse complement to those of the record, for a score that depends on no strand.

The chunks of a record and those of its reverse complement lie at different places, since the rule that cuts them is not
symmetric (see `reads.chunks`). Both grids have equally many. Where both chunks are at one place they hold the same
frames, which are then not written twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from virnucpro_tasks.reads.chunk_frames import ChunkFrames, chunk_frames
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.tables import NO_CODON, ReverseChunk, Status
from virnucpro_tasks.reads.translation import Int64Array, other_strand

Bounds = tuple[Int64Array, Int64Array]
"""Starts and ends (exclusive) of n chunks in the same bases, (n,) each."""

_KINDS = tuple(ReverseChunk)
_SAME, _FRAMES, _SEGMENT, _CLOSED, _NO_CODON = (
    _KINDS.index(kind)
    for kind in (
        ReverseChunk.SAME,
        ReverseChunk.FRAMES,
        ReverseChunk.SEGMENT,
        ReverseChunk.CLOSED,
        ReverseChunk.NO_CODON,
    )
)


@dataclass(frozen=True, slots=True)
class ReverseGrid:
    """The columns `reverse_frames` (n,) int8 and `reverse` (n,) strings of n rows of a chunk table."""

    counts: npt.NDArray[np.int8]
    kinds: pa.Array


def with_reverse_grid(
    frames: ChunkFrames, bases: bytes, bounds: Bounds, reverse_bounds: Bounds, *, coverage: Coverage
) -> tuple[ChunkFrames, ReverseGrid]:
    """Add the frames of the chunks at `reverse_bounds` to those of the chunks at `bounds`, `frames`.

    Both bounds are on the forward strand. Frames are found in the reverse complement, so of equally long segments the
    one is taken that is the first there. Behind the frames of each chunk come those of the reverse one with its number.
    """
    # Equal chunks have equal open frames; of equal segments each strand may choose another one.
    is_moved = (bounds[0] != reverse_bounds[0]) | (bounds[1] != reverse_bounds[1])
    is_partial = pc.equal(frames.statuses, Status.PARTIAL_FRAME.value).to_numpy(zero_copy_only=False)
    read = np.flatnonzero(is_moved | is_partial)
    kinds = np.full(len(is_moved), _SAME)
    counts = np.zeros(len(is_moved), np.int8)
    if not len(read):
        return frames, ReverseGrid(counts, _texts(kinds))
    starts, ends = (len(bases) - bound[read] for bound in reversed(reverse_bounds))
    found = chunk_frames(other_strand(bases), starts, ends, coverage=coverage)
    found = _without(found, _repeats(found, frames, read, ~is_moved))
    kinds[read] = _kinds_of(found)
    counts[read] = found.counts
    kinds[~is_moved & (counts == 0)] = _SAME
    return _joined(frames, found, read), ReverseGrid(counts, _texts(kinds))


def reordered(grid: ReverseGrid, order: Int64Array, *, more: int) -> ReverseGrid:
    """The rows of `grid` and behind them `more` of records without chunks, in this order."""
    kinds = pa.concat_arrays([grid.kinds, pa.array([ReverseChunk.NOT_CUT.value] * more, pa.string())])
    return ReverseGrid(np.concatenate([grid.counts, np.zeros(more, np.int8)])[order], kinds.take(pa.array(order)))


def _texts(kinds: Int64Array) -> pa.Array:
    return pa.array(map(str, _KINDS)).take(pa.array(kinds))


def _kinds_of(found: ChunkFrames) -> Int64Array:
    is_segment = pc.equal(found.statuses, Status.PARTIAL_FRAME.value).to_numpy(zero_copy_only=False)
    has_no_codon = pc.equal(found.reasons, NO_CODON).to_numpy(zero_copy_only=False)
    closed = np.where(has_no_codon, _NO_CODON, _CLOSED)
    return np.where(found.counts > 0, np.where(is_segment, _SEGMENT, _FRAMES), closed)


def _repeats(
    found: ChunkFrames, frames: ChunkFrames, read: Int64Array, is_same_place: npt.NDArray[np.bool_]
) -> Int64Array:
    """The places in `found.chunks` of segments that also stand for the chunk of the record itself."""
    places = np.flatnonzero(is_same_place[read][found.chunks])
    # A chunk at the same place is read for its one segment, which is the only frame of both chunks.
    own = np.searchsorted(frames.chunks, read[found.chunks[places]])
    is_equal = pc.equal(found.nucleotides.take(pa.array(places)), frames.nucleotides.take(pa.array(own)))
    return places[is_equal.to_numpy(zero_copy_only=False)]


def _without(found: ChunkFrames, places: Int64Array) -> ChunkFrames:
    """`found` without the frames at these places."""
    if not len(places):
        return found
    counts = found.counts.copy()
    counts[found.chunks[places]] = 0
    kept = np.delete(np.arange(len(found.chunks)), places)
    return replace(
        found,
        counts=counts,
        chunks=found.chunks[kept],
        frames=found.frames[kept],
        nucleotides=found.nucleotides.take(pa.array(kept)),
        proteins=found.proteins.take(pa.array(kept)),
    )


def _joined(frames: ChunkFrames, found: ChunkFrames, read: Int64Array) -> ChunkFrames:
    """`frames`, and behind those of each chunk the frames that were `found` for the chunks `read`."""
    chunks = np.concatenate([frames.chunks, read[found.chunks]])
    order = np.argsort(chunks, kind="stable")
    nucleotides, proteins = (
        pa.concat_arrays(strings).take(pa.array(order))
        for strings in ((frames.nucleotides, found.nucleotides), (frames.proteins, found.proteins))
    )
    return replace(
        frames,
        chunks=chunks[order],
        frames=np.concatenate([frames.frames, found.frames])[order],
        nucleotides=nucleotides,
        proteins=proteins,
    )
