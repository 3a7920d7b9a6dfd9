from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from output.tables import Chunk, read_table, shard_of, write

from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.models.sizes import FittedRecordScore
from virnucpro_tasks.output.records import RECORD_COLUMNS, RecordMerger, RecordSummary, record_summaries
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.reads.tables import Status

STOPS = "no frame without a stop codon"


def summaries(*shards: list[Chunk], reason: str = "") -> list[RecordSummary]:
    merger = RecordMerger()
    rows = [ScoredRows.of(shard_of(shard, reason=reason)) for shard in shards]
    found = [summary for part in rows for summary in merger.add(record_summaries(part))]
    return found + list(merger.end())


CONTIG = [
    Chunk(0, b"contig", 1, 0, 500, 1800, [0.9, 0.7]),
    Chunk(0, b"contig", 2, 450, 950, 1800, [0.2]),
    Chunk(0, b"contig", 3, 900, 1400, 1800, [], "no_open_frame", STOPS),
    Chunk(0, b"contig", 4, 1350, 1800, 1800, [0.4]),
]
SHORT = Chunk(1, b"short", 0, 0, 0, 20, [], "too_short", "length 20, below the minimum of 60 bases")
BAD = Chunk(2, b"bad", 0, 0, 0, 7, [], "invalid", "illegal character '-' on line 9")
STOPPED = Chunk(3, b"stops", 1, 0, 400, 400, [], "no_open_frame", STOPS)


@pytest.mark.parametrize("cut", range(len(CONTIG) + 1))
def test_a_record_is_summed_over_its_chunks_wherever_shards_are_cut(cut: int) -> None:
    (contig, *others) = summaries(CONTIG[:cut], CONTIG[cut:], [SHORT, BAD], [STOPPED])
    assert (contig.chunks, contig.scored_chunks, contig.no_open_frame_chunks, contig.virus_chunks) == (4, 3, 1, 1)
    assert contig.frames == 4
    assert contig.mean == pytest.approx(0.55, abs=1e-6)
    assert contig.is_virus
    assert contig.highest == pytest.approx(0.9)
    # 0 to 950 and 1350 to 1800, the overlap once
    assert contig.covered == 950 + 450
    assert contig.scored_fraction == pytest.approx(1400 / 1800)
    assert contig.note == ""
    assert [(other.status, other.note) for other in others] == [
        (Status.TOO_SHORT, SHORT.reason),
        (Status.INVALID, BAD.reason),
        (Status.NO_OPEN_FRAME, STOPS),
    ]
    assert all(math.isnan(other.mean) and math.isnan(other.virus_score) for other in others)
    assert not any(other.is_virus for other in others)


def test_overlap_with_an_unscored_chunk_counts() -> None:
    chunks = [CONTIG[2], CONTIG[3]]
    for split in (summaries(chunks), summaries(chunks[:1], chunks[1:])):
        assert split[0].covered == 450


def test_a_part_in_quarantine_is_told_beside_the_score_of_the_rest() -> None:
    quarantined = Chunk(0, b"contig", 2, 450, 950, 1800, [0.2, 0.3], quarantined=True)
    (contig,) = summaries([CONTIG[0], quarantined], CONTIG[2:], reason="3 attempts: killed")
    assert contig.status == Status.SCORED
    assert contig.note == "1 of 4 chunks quarantined: 3 attempts: killed"
    assert (contig.frames, contig.quarantined_chunks) == (3, 1)
    (whole,) = summaries([quarantined], reason="3 attempts: killed")
    assert (whole.status, whole.note, whole.frames) == (Status.QUARANTINED, "3 attempts: killed", 0)
    (mixed,) = summaries([CONTIG[2], quarantined], reason="3 attempts: killed")
    assert (mixed.status, mixed.note) == (Status.QUARANTINED, "3 attempts: killed")


def test_equal_ids_are_told_apart_by_ordinal() -> None:
    found = summaries([Chunk(0, b"a", 1, 0, 500, 500, [0.9]), Chunk(1, b"a", 1, 0, 500, 500, [0.1])])
    assert [(record.ordinal, record.is_virus) for record in found] == [(0, True), (1, False)]


@given(st.data())
def test_any_cut_of_any_job_gives_the_same_records(data: st.DataObject) -> None:
    chunks = []
    for record in range(data.draw(st.integers(1, 5))):
        count = data.draw(st.integers(1, 4))
        for number in range(1, count + 1):
            virus = data.draw(st.lists(st.floats(0, 1, width=32), max_size=3))
            status = ("scored", "") if virus else ("no_open_frame", STOPS)
            start = 400 * (number - 1)
            chunks.append(Chunk(record, b"r", number, start, start + 500, 400 * count + 100, virus, *status))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(chunks)), max_size=4)))
    bounds = [0, *cuts, len(chunks)]
    parts = [chunks[start:end] for start, end in itertools.pairwise(bounds)]
    assert summaries(*parts) == summaries(chunks)


TABLE_CHUNKS = [
    Chunk(0, b"contig", 1, 0, 500, 950, [0.75, 0.5], description=b"=a phage\tof \xff"),
    Chunk(0, b"contig", 2, 450, 950, 950, [], "no_open_frame", "no frame without a stop codon"),
    Chunk(1, b"-rf", 0, 0, 0, 20, [], "too_short", "length 20, below the minimum of 60 bases"),
    Chunk(2, b"bad", 0, 0, 0, 7, [], "invalid", 'illegal character "\\t" on line 9'),
    Chunk(3, b"bad", 1, 0, 300, 300, [0.25]),
]


def test_a_row_for_every_record_in_input_order(tmp_path: Path) -> None:
    write(tmp_path, shard_of(TABLE_CHUNKS), model_label="demonstration (DEMONSTRATION)")
    rows = read_table(tmp_path / "records.tsv")
    elsewhere = {"mate", "partial_frame_chunks"}
    assert list(rows[0]) == [column.name for column in RECORD_COLUMNS if column.name not in elsewhere]
    assert RECORD_COLUMNS[0].name == "record_id"
    assert [row["record_id"] for row in rows] == ["contig", "-rf", "bad", "bad"]
    assert [row["record"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["status"] for row in rows] == ["scored", "too_short", "invalid", "scored"]
    assert [row["call"] for row in rows] == ["virus", "NA", "NA", "others"]
    assert {row["model"] for row in rows} == {"demonstration (DEMONSTRATION)"}
    first = rows[0]
    assert (first["length"], first["chunks"], first["scored_chunks"], first["scored_fraction"]) == (
        "950",
        "2",
        "1",
        "0.5263",
    )
    assert (first["highest_viral_score"], first["mean_viral_score"]) == ("0.75", "0.625")
    assert rows[2]["reason"] == TABLE_CHUNKS[3].reason
    assert [row["description"] for row in rows] == ["=a phage\tof \udcff", "", "", ""]
    assert [row["evidence"] for row in rows] == ["low", "NA", "NA", "low"]
    assert (rows[1]["highest_viral_score"], rows[1]["mean_viral_score"], rows[1]["virus_score"]) == ("NA", "NA", "NA")


def test_the_score_of_a_record_follows_from_the_log_odds_of_its_frames(tmp_path: Path) -> None:
    # Odds of 4, 1/9 and 9, and of 99, 3/7 and 3/7.
    chunks = [Chunk(0, b"a", 1, 0, 500, 500, [0.8, 0.1, 0.9]), Chunk(1, b"b", 1, 0, 500, 500, [0.99, 0.3, 0.3])]
    (first, second) = (math.log(4) + math.log(1 / 9) + math.log(9), math.log(99) + 2 * math.log(3 / 7))
    fitted = FittedRecordScore(intercept=-1.0, slope=0.5, slope_per_log_frames=0.25)
    write(tmp_path / "plain", shard_of(chunks))
    write(tmp_path / "fitted", replace(shard_of(chunks), record_score=RecordScore(fitted)))
    for folder, log_odds in (
        ("plain", [value / math.sqrt(3) for value in (first, second)]),
        ("fitted", [value / 3 * (0.5 + 0.25 * math.log(3)) - 1 for value in (first, second)]),
    ):
        rows = read_table(tmp_path / folder / "records.tsv")
        for row, value in zip(rows, log_odds, strict=True):
            assert float(row["virus_score"]) == pytest.approx(1 / (1 + math.exp(-value)), rel=1e-5)
            assert row["call"] == ("virus" if value >= 0 else "others")
        assert {float(row["mean_viral_score"]) for row in rows} == {0.6, 0.53}
    assert [row["call"] for row in read_table(tmp_path / "fitted" / "records.tsv")] == ["others", "others"]


def test_a_record_may_be_called_others_although_the_mean_of_its_frames_says_virus() -> None:
    (record,) = summaries([Chunk(0, b"a", 1, 0, 500, 500, [0.75, 0.75, 0.05])])
    assert record.mean > 0.5 and record.virus_score < 0.5 and not record.is_virus


def test_names_of_input_files_are_quoted_like_ids(tmp_path: Path) -> None:
    write(tmp_path, shard_of(TABLE_CHUNKS), input_names=["=a\tb\udcff.fasta"])
    assert read_table(tmp_path / "records.tsv")[0]["input"] == "=a\tb\udcff.fasta"
