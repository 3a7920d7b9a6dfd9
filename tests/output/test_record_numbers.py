from __future__ import annotations

import random
from dataclasses import fields

import numpy as np
from output.tables import Chunk, shard_of

from virnucpro_tasks.output import record_numbers
from virnucpro_tasks.output.fields import scores
from virnucpro_tasks.output.record_numbers import RecordColumns, RecordNumbers
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
    for columns in (None, RecordColumns.of_records(written.records)):
        numbers = RecordNumbers.of(written, columns)
        assert numbers.scored_fraction.tolist() == [float(text) for text in written.fraction_texts]
        assert numbers.score[:-1].tolist() == [float(text) for text in written.score_texts[:-1]]
        assert written.score_texts[-1] == b"NA" and numbers.score[-1] != numbers.score[-1]
        assert numbers.length.tolist() == [chunk.length for chunk in chunks]
        assert numbers.scored_chunks.tolist() == [1] * (len(chunks) - 1) + [0]


def test_scores_are_rounded_as_their_texts_are() -> None:
    random_scores = np.random.default_rng(0).random(2_000)
    middles = (np.arange(200_000, 999_999, 1_999) + 0.5) / 1e6
    bounds = [edge + step for edge in (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 1.0) for step in (0, 1e-12, 1e-17)]
    values = np.concatenate(
        [
            random_scores,
            random_scores**9,
            middles,
            middles / 1e3,
            bounds,
            1 - random_scores**20,
            np.nextafter(middles, 0),
        ]
    )
    values = values[values <= 1]
    texts = scores(values)
    assert record_numbers._rounded_scores(values, texts).tolist() == list(map(float, texts))
    assert np.isnan(record_numbers._rounded_scores(np.array([np.nan]), [b"NA"])).all()


def test_columns_of_a_shard_are_those_of_its_records() -> None:
    chosen = random.Random(1)
    chunks = []
    for record in range(60):
        start = 0
        for chunk in range(1, chosen.randrange(2, 5)):
            status = chosen.choice(["scored", "scored", "no_open_frame"])
            found_scores = [chosen.random()] if status == "scored" else []
            is_lost = bool(found_scores) and chosen.random() < 0.3
            chunks.append(
                Chunk(record, b"c", chunk, start, start + 500, 2_000, found_scores, status=status, quarantined=is_lost)
            )
            start += chosen.choice([300, 500])
    rows = ScoredRows.of(shard_of(chunks))
    style = TableStyle(dialect="original", input_names=["x.fa"], model_label="m", chunk_length=500)
    records = list(record_summaries(rows))[1:-1]
    found, expected = RecordColumns.of_rows(rows), RecordColumns.of_records(records)
    assert len(expected.status) == 58 and len(set(expected.status)) == 3
    for column in fields(RecordColumns):
        assert np.array_equal(getattr(found, column.name), getattr(expected, column.name)), column.name
    written = WrittenRecords.of(records, style)
    alone = [RecordNumbers.of(WrittenRecords.of(some, style)) for some in (records[:20], [], records[20:])]
    for numbers in (RecordNumbers.of(written, found), RecordNumbers.joined(alone)):
        for column in fields(RecordNumbers):
            one, other = (getattr(each, column.name) for each in (numbers, RecordNumbers.of(written)))
            assert np.array_equal(one, other, equal_nan=True) and one.dtype == other.dtype, column.name


def test_a_shard_without_rows_or_inner_records_has_no_columns() -> None:
    for records in range(3):
        shard = shard_of([Chunk(record, b"c", 1, 0, 500, 500, [0.5]) for record in range(records)])
        assert len(RecordColumns.of_rows(ScoredRows.of(shard)).length) == 0
