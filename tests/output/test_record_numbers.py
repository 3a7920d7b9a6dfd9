from __future__ import annotations

import random

from output.tables import Chunk, shard_of

from virnucpro_tasks.output.record_numbers import RecordNumbers
from virnucpro_tasks.output.records import WrittenRecords, record_summaries
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.table import TableStyle

MIDDLES = [(scored, 20_000) for scored in range(1, 400, 2)]
"""Scored bases and lengths whose share lies in the middle between two numbers with four decimals."""


def test_numbers_are_those_that_the_tables_have() -> None:
    chosen = random.Random(0)
    others = [(chosen.randrange(1, 9_000), chosen.randrange(9_000, 20_000)) for _ in range(400)]
    chunks = [
        Chunk(record, b"c", 1, 0, scored, length, [chosen.random()])
        for record, (scored, length) in enumerate([*MIDDLES, *others])
    ]
    chunks.append(Chunk(len(chunks), b"c", 1, 0, 500, 500, status="no_open_frame"))
    style = TableStyle(dialect="original", input_names=["x.fa"], model_label="m", chunk_length=500)
    written = WrittenRecords.of(list(record_summaries(ScoredRows.of(shard_of(chunks)))), style)
    numbers = RecordNumbers.of(written)
    assert numbers.scored_fraction.tolist() == [float(text) for text in written.fraction_texts]
    assert numbers.score[:-1].tolist() == [float(text) for text in written.score_texts[:-1]]
    assert written.score_texts[-1] == b"NA" and numbers.score[-1] != numbers.score[-1]
    assert numbers.length.tolist() == [chunk.length for chunk in chunks]
    assert numbers.scored_chunks.tolist() == [1] * (len(chunks) - 1) + [0]
