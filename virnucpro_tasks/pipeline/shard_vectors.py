"""Frames of a shard to pooled vectors: what is computed once, what is left out, and how parts become a whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from virnucpro_tasks.pipeline.imported_vectors import Imports, embed_sequences
from virnucpro_tasks.recovery.attempt import RecordsAtFaultError
from virnucpro_tasks.shards.cut import frame_tokens
from virnucpro_tasks.shards.engine_stats import EngineStats
from virnucpro_tasks.shards.vectors import NO_VECTOR, ShardVectors

if TYPE_CHECKING:
    from virnucpro_tasks.embed.engine import Engine, NonFiniteError


def embed_frames(
    engine: Engine,
    frames: pa.Table,
    should_stop: Callable[[], bool],
    *,
    without: Collection[int] = (),
    tell_share: Callable[[float], None] | None = None,
    imports: Imports | None = None,
    whole_proteins: bool = False,
) -> ShardVectors | None:
    """Pooled vectors of a frame table, each distinct sequence computed once; None if `should_stop` said so meanwhile.

    Frames of the records `without` (ordinals) have no vector. Their sequences are masked, not dropped: all others are
    packed as with them, so that their vectors are the same to the last bit. `tell_share` is called with the share of
    the work that is done, `imports` are vectors that need not be computed, `whole_proteins` is as in `Engine.embed`.
    Raises RecordsAtFaultError for records whose vectors are not finite.
    """
    from virnucpro_tasks.embed.engine import EmbeddingStopped, NonFiniteError

    left_out = np.isin(frames["record_ordinal"].to_numpy(), list(without))
    sequences = [frames[name].combine_chunks().dictionary_encode() for name in ("nucleotides", "protein")]
    rows = [column.indices.to_numpy().astype(np.int32) for column in sequences]
    # A sequence that another record has too was computed without harm for that one.
    masked = [sorted(set(row[left_out].tolist()) - set(row[~left_out].tolist())) for row in rows]
    try:
        embedded = embed_sequences(
            engine,
            sequences[0].dictionary.to_pylist(),
            sequences[1].dictionary.to_pylist(),
            imports,
            should_stop=should_stop,
            masked_nucleotides=masked[0],
            masked_proteins=masked[1],
            tell_share=tell_share,
            whole_proteins=whole_proteins,
        )
    except EmbeddingStopped:
        return None
    except NonFiniteError as error:
        # Computed to the end, in FP32 too: nothing to try again, and the records are known.
        raise RecordsAtFaultError(
            f"{error.model} gives NaN or infinity in FP32", records_with(frames, error)
        ) from error
    spared = int(frame_tokens(frames)[embedded.spared[rows[1]]].sum()) if embedded.spared.any() else 0
    embedded.nucleotide[masked[0]] = 0
    embedded.protein[masked[1]] = 0
    return ShardVectors(
        nucleotide=embedded.nucleotide,
        protein=embedded.protein,
        nucleotide_row=np.where(left_out, np.int32(NO_VECTOR), rows[0]),
        protein_row=np.where(left_out, np.int32(NO_VECTOR), rows[1]),
        stats=replace(embedded.stats, spared_tokens=spared),
    )


def embed_parts(
    engine: Engine,
    frames: pa.Table,
    should_stop: Callable[[], bool],
    parts: Sequence[Collection[int]],
    *,
    without: Collection[int],
    imports: Imports | None = None,
    whole_proteins: bool = False,
) -> ShardVectors | None:
    """`embed_frames` of each of `parts` (record ordinals) by itself, joined; all other frames have no vector."""
    ordinals = frames["record_ordinal"].to_numpy()
    whole = no_vectors(len(ordinals))
    found: list[ShardVectors] = []
    for part in parts:
        chosen = np.flatnonzero(np.isin(ordinals, list(part)) & ~np.isin(ordinals, list(without)))
        vectors = embed_frames(engine, frames.take(chosen), should_stop, imports=imports, whole_proteins=whole_proteins)
        if vectors is None:
            return None
        whole.nucleotide_row[chosen] = vectors.nucleotide_row + sum(len(one.nucleotide) for one in found)
        whole.protein_row[chosen] = vectors.protein_row + sum(len(one.protein) for one in found)
        found.append(vectors)
    return ShardVectors(
        nucleotide=np.concatenate([one.nucleotide for one in found]),
        protein=np.concatenate([one.protein for one in found]),
        nucleotide_row=whole.nucleotide_row,
        protein_row=whole.protein_row,
        stats=sum((one.stats for one in found), EngineStats()),
    )


def no_vectors(frames: int) -> ShardVectors:
    """The vectors of a shard whose records are all at fault: none."""
    none, row = np.zeros((0, 0), np.float32), np.full(frames, NO_VECTOR, np.int32)
    return ShardVectors(none, none, row, row.copy())


def records_with(frames: pa.Table, error: NonFiniteError) -> list[int]:
    """Ordinals of the records of `frames` that have one of the sequences that `error` names."""
    from virnucpro_tasks.embed.engine import NUCLEOTIDE_FOLDER

    name = "nucleotides" if error.model == NUCLEOTIDE_FOLDER else "protein"
    indices = frames[name].combine_chunks().dictionary_encode().indices.to_numpy()
    ordinals = frames["record_ordinal"].to_numpy()
    return np.unique(ordinals[np.isin(indices, error.indices)]).tolist()


def device_is_healthy(engine: Engine) -> bool:
    """Whether the device still computes: after some CUDA errors every later call of the process fails."""
    try:
        embedded = engine.embed(["ACGTACGTACGT"], ["MKV"], should_stop=lambda: False)
    except Exception:
        return False
    return bool(np.isfinite(embedded.nucleotide).all() and np.isfinite(embedded.protein).all())
