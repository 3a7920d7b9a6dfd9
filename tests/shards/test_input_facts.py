from __future__ import annotations

import pyarrow as pa

from virnucpro_tasks.reads.tables import CHUNK_SCHEMA
from virnucpro_tasks.shards.input_facts import InputTally
from virnucpro_tasks.shards.plan import InputFacts


def chunks(*rows: tuple[int, int, int]) -> pa.Table:
    """Rows of input, record and mate."""
    names = ("input_ordinal", "record_ordinal", "mate")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], CHUNK_SCHEMA)


def test_inputs_are_told_by_their_first_record_mates_and_skipped_alignments() -> None:
    tally = InputTally()
    tally.add(chunks((0, 0, 0), (0, 1, 0), (2, 2, 0)))
    tally.add(chunks((2, 2, 0), (2, 3, 2)))
    tally.skipped[2] += 7
    assert tally.facts(3) == [InputFacts(first_record=0), InputFacts(), InputFacts(2, has_mates=True, skipped=7)]
