"""The default cutoffs select what is called virus; others compare the numbers as the table has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from output.tables import Chunk, shard_of

from virnucpro_tasks.classifier.consensus import CALLED_SCORE
from virnucpro_tasks.classifier.false_discoveries import FalseDiscoveries
from virnucpro_tasks.classifier.log_odds_bins import BINS
from virnucpro_tasks.jobs.output_options import DEFAULT_PRESET, PRESETS, Cutoffs
from virnucpro_tasks.output.records import WrittenRecords, record_summaries
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.selection import SelectedRecord, SelectedRecords, selected_records
from virnucpro_tasks.output.table import TableStyle

STYLE = TableStyle("original", ["reads.fasta"], "model", 500, first_record=3)

NEARLY = 0.49999997
"""A float32 below one half that is written as 0.5."""

RECORDS = [
    Chunk(3, b"virus", 1, 0, 600, 600, [0.9, 0.8]),
    Chunk(4, b"tie", 1, 0, 600, 600, [0.5]),
    Chunk(5, b"nearly", 1, 0, 600, 600, [NEARLY]),
    Chunk(6, b"others", 1, 0, 600, 600, [0.25]),
    Chunk(7, b"short", 1, 0, 60, 60, [0.9]),
    Chunk(8, b"partly", 1, 0, 500, 1000, [0.9]),
    Chunk(8, b"partly", 2, 500, 1000, 1000, status="no_open_frame"),
    Chunk(9, b"none", 1, 0, 600, 600, status="no_open_frame"),
    Chunk(10, b"bad", 1, 0, 600, 600, [0.9], quarantined=True),
]


def written(style: TableStyle) -> WrittenRecords:
    return WrittenRecords.of(list(record_summaries(ScoredRows.of(shard_of(RECORDS)))), style)


def selected(**cutoffs: float) -> SelectedRecords:
    return selected_records(written(STYLE), replace(STYLE, cutoffs=Cutoffs(**{"min_score": CALLED_SCORE} | cutoffs)))


def ids(**cutoffs: float) -> list[bytes]:
    return selected(**cutoffs).record_ids


def test_the_default_is_the_call() -> None:
    assert PRESETS[DEFAULT_PRESET] == Cutoffs(min_score=CALLED_SCORE)
    assert ids() == [b"virus", b"tie", b"short", b"partly"]


def test_other_scores_are_compared_as_they_are_written() -> None:
    found = selected(min_score=0.49)
    assert found.notes[found.record_ids.index(b"nearly")] == b" virus_score=0.5 chunks=1"
    assert b"nearly" in ids(min_score=0.4999999999) and b"nearly" not in ids(min_score=0.5000001)
    # Odds of 9 and 4: a probability of 0.9264865.
    assert b"virus" in ids(min_score=0.926487) and b"virus" not in ids(min_score=0.926488)


@pytest.mark.parametrize(
    ("cutoffs", "expected"),
    [
        ({"min_length": 600}, [b"virus", b"tie", b"partly"]),
        ({"min_length": 601}, [b"partly"]),
        ({"min_scored_fraction": 0.5}, [b"virus", b"tie", b"short", b"partly"]),
        ({"min_scored_fraction": 0.5001}, [b"virus", b"tie", b"short"]),
        ({"min_score": 0.0}, [b"virus", b"tie", b"nearly", b"others", b"short", b"partly"]),
        ({"min_score": 1.0}, []),
    ],
)
def test_each_cutoff_is_a_least_value(cutoffs: dict[str, float], expected: list[bytes]) -> None:
    assert ids(**cutoffs) == expected


def test_a_rate_is_compared_as_it_is_written_and_none_is_above_any() -> None:
    rates = np.linspace(1, 0, BINS)
    style = replace(STYLE, false_discoveries=FalseDiscoveries(None, rates))
    records = written(style)
    by_id = dict(zip([one.record_id for one in records.records], records.rate_texts, strict=True))
    assert by_id[b"none"] == by_id[b"bad"] == b"NA"
    for name in (b"virus", b"others"):
        for rate, is_in in ((float(by_id[name]), True), (float(by_id[name]) - 1e-6, False)):
            chosen = selected_records(records, replace(style, cutoffs=Cutoffs(min_score=0.0, max_fdr=rate)))
            assert (name in chosen.record_ids) == is_in
    assert ids(min_score=0.0, max_fdr=1.0) == []


def test_records_are_numbered_from_the_first_one() -> None:
    found = selected(min_score=0.2)
    assert found[3:4] == SelectedRecords.of([SelectedRecord(3, 600, 1, b"0.25", b"others")])
    assert found[3:4] == SelectedRecords([3], [600], [b" virus_score=0.25 chunks=1"], [b"others"])


def test_records_are_the_same_behind_their_lines() -> None:
    records = selected(min_score=0.2)
    assert len(records) > 3
    assert SelectedRecords.of_lines(b"".join(line + b"\n" for line in records.lines)) == records
    nothing = selected(min_score=1.0)
    assert SelectedRecords.of_lines(b"") == SelectedRecords.of([]) == nothing and nothing.lines == []
