"""What is collected while tables are written is what reading them again finds."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from output.tables import Chunk, shard_of
from report.results import LIKE_ITS_FRAMES, record

from virnucpro_tasks.output.part import shard_part
from virnucpro_tasks.output.results import write_results, write_samples
from virnucpro_tasks.output.table import TableStyle
from virnucpro_tasks.report import collected as collected_module
from virnucpro_tasks.report import records as records_module
from virnucpro_tasks.report import rows as rows_module
from virnucpro_tasks.report.collected import CollectedRecords
from virnucpro_tasks.report.records import Records, RecordSums, read_records

HOSTILE = (b'quoted "twice" and=1', b"=1+1", b"-\r-", b"caf\xe9 \xff", b"", b"<b>x</b>&amp;", b"NA", b"x" * 10_000)


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page shows few rows, so that small jobs have more."""
    for name, most in (("MOST_ROWS", 5), ("STRONGEST_ROWS", 7), ("DOUBTFUL_ROWS", 4)):
        monkeypatch.setattr(records_module, name, most)
        monkeypatch.setattr(collected_module, name, most)
    monkeypatch.setattr(rows_module, "NEAR_BYTES", 300)
    monkeypatch.setattr(collected_module, "RECORDS_AT_ONCE", 6)


def random_records(chosen: random.Random, count: int) -> list[list[Chunk]]:
    """Records with ties in score, chunks and length, some without a score, and any description."""
    scores = (1.0, 1.0, 0.75, 0.500_000_1, 0.25, 0.123_456_789, None)
    return [
        record(number, b"c_%d" % number, *chosen.choices(scores, k=chosen.choice([1, 2, 5]))) for number in range(count)
    ]


def collected(folder: Path, shards: list[list[Chunk]], name: str = "reads.fasta") -> CollectedRecords:
    """Write the tables of a job of these shards, and collect."""
    style = TableStyle("original", [name], "model", 500, has_page=True)
    found = CollectedRecords(most_shown=2)
    parts = (shard_part(replace(shard_of(shard), record_score=LIKE_ITS_FRAMES), style) for shard in shards)
    write_results(parts, folder, style, demonstration=False, collect=found.add)
    return found


def assert_equal(one: Records, other: Records) -> None:
    assert one.rows == other.rows and one.strongest == other.strongest and one.doubtful == other.doubtful
    assert (one.has_evidence, one.has_record_score) == (other.has_evidence, other.has_record_score)
    for entry in fields(RecordSums):
        assert np.array_equal(getattr(one.sums, entry.name), getattr(other.sums, entry.name)), entry.name


@pytest.mark.parametrize("seed", range(8))
def test_collected_records_are_those_of_the_table_however_shards_are_cut(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = random.Random(seed)
    chunks = [
        replace(chunk, description=HOSTILE[chunk.record % len(HOSTILE)])
        for some in random_records(chosen, 400)
        for chunk in some
    ]
    cuts = sorted(chosen.sample(range(1, len(chunks)), 6))
    shards = [chunks[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    found = collected(tmp_path, shards)
    table = tmp_path / "records.tsv"
    expected = read_records(table, most_shown=2)
    monkeypatch.setattr(collected_module, "read_records", lambda *_, **__: pytest.fail("the table was read again"))
    assert_equal(found.records(table), expected)
    assert len(expected.rows) < expected.sums.total == 400


def test_the_best_are_those_of_all_sorted_with_many_ties() -> None:
    chosen = np.random.default_rng(0)
    for most in (1, 5, 20):
        keys = [*chosen.integers(0, 2, (2, 1_000)), chosen.integers(0, 900, 1_000), np.arange(1_000)]
        best = collected_module._Best(most)
        for start in range(0, 1_000, 7):
            best.add(*(column[start : start + 7] for column in keys))
        assert best.places() == np.lexsort(keys[::-1])[:most].tolist()


def test_few_records_are_read_and_all_shown(tmp_path: Path) -> None:
    found = collected(tmp_path, [[chunk for some in random_records(random.Random(1), 5) for chunk in some]])
    assert_equal(found.records(tmp_path / "records.tsv"), read_records(tmp_path / "records.tsv", most_shown=2))
    assert found.records(tmp_path / "records.tsv").has_all_rows


@pytest.mark.parametrize("name", ["two\nlines.fasta", "\n"])
def test_a_table_with_line_ends_in_its_texts_is_read_as_a_whole(tmp_path: Path, name: str) -> None:
    found = collected(tmp_path, [[chunk for some in random_records(random.Random(2), 30) for chunk in some]], name)
    table = tmp_path / "records.tsv"
    assert_equal(found.records(table), read_records(table, most_shown=2))
    assert {row.input for row in found.records(table).rows} == {name.encode()}


def test_no_numbers_are_made_without_a_page(tmp_path: Path) -> None:
    shard = shard_of([chunk for some in random_records(random.Random(3), 9) for chunk in some])
    assert shard_part(shard, TableStyle("original", ["a"], "model", 500)).numbers is None


def test_records_of_samples_are_those_of_the_joint_table(tmp_path: Path) -> None:
    of_sample = partial(TableStyle, "original", ["a"], "model", 500, has_page=True)
    styles = [of_sample(sample="A"), of_sample(sample="empty"), of_sample(sample="B", first_record=40)]
    records = random_records(random.Random(5), 80)
    parts = []
    for style, some in ((styles[0], records[:40]), (styles[2], records[40:])):
        shard = shard_of([chunk for chunks in some for chunk in chunks])
        parts.append(shard_part(replace(shard, record_score=LIKE_ITS_FRAMES), style))
    found = CollectedRecords(most_shown=2)
    write_samples(parts, tmp_path, styles, demonstration=False, collect=found.add)
    table = tmp_path / "records.tsv"
    assert_equal(found.records(table), read_records(table, most_shown=2))
    assert {row.sample for row in found.records(table).rows} == {"A", "B"}
