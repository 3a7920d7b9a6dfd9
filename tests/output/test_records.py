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
from virnucpro_tasks.models.sizes import FittedRecordScore, FittedSegments, FittedWithoutFrames
from virnucpro_tasks.output.records import RECORD_COLUMNS, RecordMerger, RecordSummary, record_summaries
from virnucpro_tasks.output.scored import ScoredRows, ScoredShard
from virnucpro_tasks.reads.tables import NO_CODON, Status

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


COVERED = RecordScore(
    FittedRecordScore(
        0.0, 1.0, 0.0, segments=FittedSegments(0.5, 0.0, 0.5), without_frames=FittedWithoutFrames(-math.log(500), 1.0)
    )
)
CLOSED = ("no_open_frame", STOPS)
PARTIAL = ("partial_frame", "segment")
UNREAD = ("no_open_frame", NO_CODON)
COVERED_CHUNKS = [
    Chunk(0, b"both", 1, 0, 500, 900, [0.75]),
    Chunk(0, b"both", 2, 400, 900, 900, [0.9], *PARTIAL),
    Chunk(1, b"segments", 1, 0, 500, 900, [], *CLOSED),
    Chunk(1, b"segments", 2, 400, 900, 900, [0.9], *PARTIAL),
    Chunk(2, b"closed", 1, 0, 500, 1_000, [], *CLOSED),
    Chunk(2, b"closed", 2, 500, 1_000, 1_000, [], *CLOSED),
    Chunk(3, b"lost", 1, 0, 500, 1_000, [0.9], *PARTIAL, quarantined=True),
    Chunk(3, b"lost", 2, 500, 1_000, 1_000, [], *CLOSED),
    Chunk(4, b"partly", 1, 0, 500, 1_000, [0.25], *PARTIAL),
    Chunk(4, b"partly", 2, 500, 1_000, 1_000, [0.9], *PARTIAL, quarantined=True),
    Chunk(5, b"short", 0, 0, 0, 9, [], "too_short", "length 9"),
    Chunk(6, b"unread", 1, 0, 500, 1_000, [], *UNREAD),
    Chunk(6, b"unread", 2, 500, 1_000, 1_000, [], *UNREAD),
    Chunk(7, b"half", 1, 0, 500, 1_000, [], *UNREAD),
    Chunk(7, b"half", 2, 500, 1_000, 1_000, [], *CLOSED),
]


def covered(chunks: list[Chunk], rule: RecordScore = COVERED) -> ScoredShard:
    return replace(shard_of(chunks, reason="killed"), record_score=rule)


def test_records_are_scored_by_segments_where_a_job_is_covered_by_them(tmp_path: Path) -> None:
    counts = write(tmp_path, covered(COVERED_CHUNKS), has_segments=True)
    rows = {row["record_id"]: row for row in read_table(tmp_path / "records.tsv")}
    assert [row["status"] for row in rows.values()] == [
        "scored",
        "partial_frame",
        "no_open_frame",
        "quarantined",
        "partial_frame",
        "too_short",
        "no_open_frame",
        "no_open_frame",
    ]
    scored = {name: float(row["virus_score"]) for name, row in rows.items() if row["virus_score"] != "NA"}
    # Log-odds: ln 3 and, with half a frame's weight, half of ln 9; ln 3; ln 1000 less ln 500; half of -ln 3.
    expected = {"both": 0.75, "segments": 0.75, "closed": 2 / 3, "partly": 1 / (1 + 3**0.5), "half": 2 / 3}
    assert scored == pytest.approx(expected, abs=1e-6)
    assert {name: row["call"] for name, row in rows.items()} == {
        "both": "virus", "segments": "virus", "closed": "virus", "lost": "NA", "partly": "others", "short": "NA",
        "unread": "NA", "half": "virus",
    }  # fmt: skip
    assert [row["evidence"] for row in rows.values()] == ["low", "low", "low", "NA", "low", "NA", "NA", "low"]
    assert [row["partial_frame_chunks"] for row in rows.values()] == ["1", "1", "0", "0", "1", "0", "0", "0"]
    assert [row["scored_chunks"] for row in rows.values()] == ["1", "0", "0", "0", "0", "0", "0", "0"]
    assert rows["both"]["mean_viral_score"] == rows["both"]["highest_viral_score"] == "0.75"
    for name in ("segments", "closed", "partly"):
        assert {rows[name][of] for of in ("mean_viral_score", "highest_viral_score")} == {"NA"}
    assert rows["segments"]["reason"] == "no open frame: the longest segments of 1 of 2 chunks are scored"
    assert rows["partly"]["reason"].endswith("are scored; 1 quarantined: killed")
    assert rows["both"]["reason"] == ""
    assert +counts.called == {"scored": 1, "partial_frame": 2, "no_open_frame": 2}
    assert (counts.virus_records, counts.chunks[Status.PARTIAL_FRAME], counts.frames) == (4, 3, 1)


def test_a_short_record_with_a_score_counts_as_short_whatever_the_score_is_from(tmp_path: Path) -> None:
    chunks = [
        Chunk(place, b"%d" % place, 1, 0, length, length, [0.75] * (status != "no_open_frame"), status, reason)
        for place, (status, reason, length) in enumerate(
            [("scored", "", 249), (*PARTIAL, 249), (*CLOSED, 249), (*UNREAD, 249), ("scored", "", 250), (*PARTIAL, 250)]
        )
    ]
    counts = write(tmp_path, covered(chunks), has_segments=True)
    assert (counts.short_records, counts.answered) == (3, 5)


def test_segments_leave_the_tables_of_frames_as_they_are(tmp_path: Path) -> None:
    alone = [
        replace(chunk, virus=[], status="no_open_frame", quarantined=False)
        if chunk.status == "partial_frame"
        else chunk
        for chunk in COVERED_CHUNKS
    ]
    write(tmp_path / "with", covered(COVERED_CHUNKS), has_segments=True)
    write(tmp_path / "without", covered(alone, COVERED.by_frames()))
    same = ("prediction_results.txt", "prediction_results_highestscore.csv", "contigs.tsv", "chunk_scores.bedgraph")
    for name in (*same, "virus_regions.bed", "virus_regions.gff3"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


@pytest.mark.parametrize("rule", [COVERED, RecordScore()])
def test_records_with_segments_do_not_depend_on_how_shards_are_cut(tmp_path: Path, rule: RecordScore) -> None:
    write(tmp_path / "whole", covered(COVERED_CHUNKS, rule), has_segments=True)
    write(tmp_path / "single", *(covered([chunk], rule) for chunk in COVERED_CHUNKS), has_segments=True)
    for file in (tmp_path / "whole").iterdir():
        assert file.read_bytes() == (tmp_path / "single" / file.name).read_bytes()


def test_nothing_counts_that_the_head_was_not_fitted_to(tmp_path: Path) -> None:
    write(tmp_path, covered(COVERED_CHUNKS, COVERED.by_frames()), has_segments=True)
    rows = read_table(tmp_path / "records.tsv")
    assert [row["call"] for row in rows] == ["virus", *["NA"] * 7]
    assert {row["virus_score"] for row in rows[1:]} == {"NA"}
