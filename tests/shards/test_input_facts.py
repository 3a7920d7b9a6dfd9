from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from virnucpro_tasks.reads.tables import CHUNK_SCHEMA, FRAME_SCHEMA, FrameBatch
from virnucpro_tasks.shards.input_facts import InputTally
from virnucpro_tasks.shards.plan import MAX_RESIDUES, InputFacts


def shard(*rows: tuple[int, int, int], residues: Sequence[int] = ()) -> FrameBatch:
    """Rows of input, record and mate; with `residues` each row has one frame, whose protein has so many."""
    names = ("input_ordinal", "record_ordinal", "mate", "frames")
    counts = [1] * len(rows) if residues else [0] * len(rows)
    chunks = [dict(zip(names, (*row, count), strict=True)) for row, count in zip(rows, counts, strict=True)]
    frames = [{"record_ordinal": row[1], "protein": "M" * length} for row, length in zip(rows, residues, strict=False)]
    return FrameBatch(pa.Table.from_pylist(chunks, CHUNK_SCHEMA), pa.Table.from_pylist(frames, FRAME_SCHEMA))


def test_inputs_are_told_by_their_first_record_mates_and_skipped_alignments() -> None:
    tally = InputTally()
    tally.add(shard((0, 0, 0), (0, 1, 0), (2, 2, 0)))
    tally.add(shard((2, 2, 0), (2, 3, 2)))
    tally.skipped[2] += 7
    assert tally.facts(3) == [InputFacts(first_record=0), InputFacts(), InputFacts(2, has_mates=True, skipped=7)]


def test_long_proteins_and_ambiguous_records_are_counted_by_input() -> None:
    tally = InputTally()
    tally.add(shard((0, 0, 0), (1, 1, 0), (1, 2, 0), residues=(5, MAX_RESIDUES + 1, MAX_RESIDUES)))
    tally.add(shard((1, 2, 0), (1, 3, 0), residues=(MAX_RESIDUES + 1, 9)))
    tally.ambiguous[0] += 3
    assert tally.facts(2) == [InputFacts(0, ambiguous=3), InputFacts(1, long_proteins=2)]
