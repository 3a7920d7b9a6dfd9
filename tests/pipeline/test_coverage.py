"""A job covered by segments from its input to its tables, beside the same job by frames."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from covered_bundle import COVERED, bundle_with
from job import embed, finish_files, make_job, run_job
from output.tables import read_table

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.recovery.events import Began, Failed, append_event
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan

pytestmark = pytest.mark.usefixtures("known_sequences")

OPEN = "ACGGCTGGTCTGGCA" * 30
PARTIAL = "TAA" + "CTAGCTAACGCTTAC" * 25 + "TAA" + "CTAGCTAACGCTTAC" * 4
"""125 residues of one frame between stop codons; the five others have one every fifteen bases."""
CLOSED = "CTAGCTAACGCTTACTAA" * 25
FRAME_FILES = (
    "prediction_results.txt",
    "prediction_results_highestscore.csv",
    "contigs.tsv",
    "chunk_scores.bedgraph",
    "virus_regions.bed",
    "virus_regions.gff3",
)
"""Tables that know of open frames alone."""


@pytest.fixture
def covering(settings: Settings, tmp_path: Path) -> Settings:
    return replace(settings, bundle=str(bundle_with(tmp_path / "bundle", COVERED)))


@pytest.fixture
def reads(tmp_path: Path) -> Path:
    file = tmp_path / "reads.fasta"
    long = OPEN * 2 + PARTIAL + CLOSED
    records = {"open": OPEN, "partial": PARTIAL, "closed": CLOSED, "long": long, "n": "N" * 90, "again": PARTIAL}
    file.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in records.items()))
    return file


def results(job: Job) -> dict[str, bytes]:
    """The tables of a finished job."""
    return {file.name: file.read_bytes() for file in job.paths.results.iterdir() if file.suffix in (".tsv", ".csv")} | {
        name: (job.paths.results / name).read_bytes() for name in FRAME_FILES
    }


def test_segments_are_scored_and_the_tables_of_frames_stay(covering: Settings, reads: Path) -> None:
    by_frames, by_segments = (make_job(covering, reads, coverage=coverage) for coverage in Coverage)
    for job in (by_frames, by_segments):
        run_job(job, covering)
    for name in FRAME_FILES:
        assert results(by_frames)[name] == results(by_segments)[name]
    rows = {row["record_id"]: row for row in read_table(by_segments.paths.results / "records.tsv")}
    assert [row["status"] for row in rows.values()] == [
        "scored",
        "partial_frame",
        "no_open_frame",
        "scored",
        "no_open_frame",
        "partial_frame",
    ]
    # A record of N alone is closed by no stop codon, so its length tells nothing.
    unread = rows["n"]
    assert (unread["virus_score"], unread["call"], unread["evidence"]) == ("NA", "NA", "NA")
    assert all(0 < float(row["virus_score"]) < 1 for row in rows.values() if row is not unread)
    assert rows["partial"]["virus_score"] == rows["again"]["virus_score"]
    counts = json.loads(by_segments.paths.run.read_bytes())["counts"]
    partial = sum(int(row["partial_frame_chunks"]) for row in rows.values())
    assert counts["segments"] == partial > 2
    assert counts["segment_tokens"] == read_plan(by_segments.paths.plan).tokens - read_plan(by_frames.paths.plan).tokens
    assert counts["called_records"] == {"scored": 2, "partial_frame": 2, "no_open_frame": 1}
    alone = {row["record_id"]: row for row in read_table(by_frames.paths.results / "records.tsv")}
    assert alone["open"]["virus_score"] == rows["open"]["virus_score"]
    assert alone["long"]["virus_score"] != rows["long"]["virus_score"]
    assert alone["partial"]["virus_score"] == "NA"
    page = (by_segments.paths.results / "report.html").read_text()
    assert "scored by segments" in page and f"{partial} chunks were scored so" in page
    assert "scored by segments" not in (by_frames.paths.results / "report.html").read_text()


def test_bytes_do_not_depend_on_shards_and_processes(covering: Settings, reads: Path) -> None:
    found = []
    for tokens, processes in ((10**6, 1), (1, 2), (700, 1)):
        settings = replace(covering, shard_tokens=tokens)
        job = make_job(settings, reads, coverage=Coverage.SEGMENTS)
        for shard in split_files(job):
            embed(job, shard, settings)
        assert finish_files(job, processes=processes) == []
        found.append(results(job))
    assert found[0] == found[1] == found[2]


def test_a_segment_that_kills_its_worker_is_quarantined_alone(covering: Settings, reads: Path) -> None:
    settings = replace(covering, shard_tokens=1, max_attempts=1)
    job = make_job(settings, reads, coverage=Coverage.SEGMENTS)
    shards = list(split_files(job))
    append_event(job.paths.attempts(shards[1]), Began(probe="whole"))
    append_event(job.paths.attempts(shards[1]), Failed(probe="whole", reason="its worker died"))
    states = [embed(job, shard, settings) for shard in shards]
    assert states.count("quarantined") == 1
    finish_files(job)
    rows = {row["record_id"]: row for row in read_table(job.paths.results / "records.tsv")}
    assert (rows["partial"]["status"], rows["partial"]["call"]) == ("quarantined", "NA")
    assert rows["again"]["status"] == "partial_frame"
    (chunk,) = (row for row in read_table(job.paths.results / "chunks.tsv") if row["record_id"] == "partial")
    assert (chunk["status"], chunk["segment_score"]) == ("quarantined", "NA")
    assert "its worker died" in chunk["reason"]
