"""Jobs that score both strands, from their input to their tables, beside the same jobs by one strand."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from covered_bundle import COVERED, bundle_with
from job import embed, finish_files, make_job, run_job
from output.tables import read_table

from virnucpro_tasks.heads.strands import reverse_complement
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.tables import FrameOwners
from virnucpro_tasks.recovery.events import Began, Failed, append_event
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.shards.tables import read_table as read_shard_table

pytestmark = pytest.mark.usefixtures("known_sequences")

OPEN = "ACGGCTGGTCTGGCA"
PARTIAL = "TAA" + "CTAGCTAACGCTTAC" * 25 + "TAA" + "CTAGCTAACGCTTAC" * 4
CLOSED = "CTAGCTAACGCTTACTAA" * 25
OF_THE_JOB = {"records.tsv", "virus_summary.tsv", "samples.tsv"}
"""Tables that tell of scores of records; all others are of chunks and frames."""


def contig(seed: int, length: int) -> str:
    """Sequence with few stop codons, so that some chunks of each grid have open frames."""
    source = random.Random(seed)
    text = "".join(source.choice(("GCA", "CTG", "GGT", "CAC", "ATC", "GNC")) for _ in range(length // 3 + 1))
    for place in range(90 * seed, length, 700):
        text = text[:place] + "CTAGCTAACTTA" + text[place + 12 :]
    return text[:length]


RECORDS = {
    "short": OPEN * 15,
    "whole": OPEN * 33 + "ACGGC",
    "one_more": OPEN * 33 + "ACGGCT",
    "partial": PARTIAL + "ACT" * 9,
    "closed": CLOSED * 2,
    "mixed": CLOSED[:300] + OPEN * 40,
    "beginning": (OPEN * 17)[:251] + CLOSED[:250],
    "long": contig(1, 1_737),
    "letters": contig(3, 760).replace("GGT", "GRY"),
}


@pytest.fixture(scope="module")
def strands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of records and their reverse complements, with the name of the record and a sign."""
    file = tmp_path_factory.mktemp("strands") / "reads.fasta"
    others = {name: reverse_complement(sequence.encode()).decode() for name, sequence in RECORDS.items()}
    file.write_text("".join(f">{name}+\n{RECORDS[name]}\n>{name}-\n{others[name]}\n" for name in RECORDS))
    return file


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle_with(tmp_path_factory.mktemp("covered") / "bundle", COVERED)


@pytest.fixture
def covering(settings: Settings, bundle: Path) -> Settings:
    return replace(settings, bundle=str(bundle))


def results(job: Job) -> dict[str, bytes]:
    """The tables of a finished job."""
    kinds = (".tsv", ".csv", ".txt", ".bed", ".gff3", ".bedgraph")
    return {file.name: file.read_bytes() for file in job.paths.results.iterdir() if file.suffix in kinds}


def scores(job: Job) -> dict[str, set[str]]:
    """The scores and calls in records.tsv of each record and its reverse complement."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in read_table(job.paths.results / "records.tsv"):
        found[row["record_id"][:-1]].add(f"{row['virus_score']} {row['call']}")
    return found


@pytest.mark.parametrize("coverage", Coverage)
def test_a_record_and_its_reverse_complement_have_one_score(
    covering: Settings, strands: Path, coverage: Coverage
) -> None:
    one, both = (make_job(covering, strands, coverage=coverage, both_strands=are_both) for are_both in (False, True))
    for job in (one, both):
        run_job(job, covering)
    assert any(len(found) > 1 for found in scores(one).values())
    assert {name: len(found) for name, found in scores(both).items()} == dict.fromkeys(RECORDS, 1)
    for name, content in results(one).items():
        assert name in OF_THE_JOB or results(both)[name] == content, name
    # A record of one chunk is read in the same frames on both strands.
    for name in ("short", "whole"):
        assert scores(both)[name] == scores(one)[name]
    rows, alone = (
        {row["record_id"]: row for row in read_table(job.paths.results / "records.tsv")} for job in (both, one)
    )
    if coverage is Coverage.FRAMES:
        # Its first chunk is closed by stop codons that the last one of the reverse complement does not reach.
        row = rows["beginning+"]
        assert (row["status"], alone["beginning+"]["call"], row["scored_chunks"]) == ("no_open_frame", "NA", "0")
        assert row["call"] != "NA" and row["reason"].endswith(": scored by its reverse complement")

    report = json.loads(both.paths.run.read_bytes())
    by_one = json.loads(one.paths.run.read_bytes())
    plan = read_plan(both.paths.plan)
    assert report["counts"]["reverse_frames"] == plan.reverse_frames > 0
    assert report["counts"]["reverse_tokens"] == plan.tokens - read_plan(one.paths.plan).tokens
    assert report["counts"]["frames_scored"] == by_one["counts"]["frames_scored"]
    assert sum(report["counts"]["called_records"].values()) == sum(row["call"] != "NA" for row in rows.values())
    assert report["parameters"] == by_one["parameters"] | {"both_strands": True}
    assert report["model"]["record_score"].endswith("averages over the chunks of both strands")
    assert "averaged over the chunks of both strands" in (both.paths.results / "report.html").read_text()


def test_bytes_do_not_depend_on_shards_and_processes(covering: Settings, strands: Path) -> None:
    found = []
    for tokens, processes in ((10**6, 1), (1, 2), (700, 1)):
        settings = replace(covering, shard_tokens=tokens)
        job = make_job(settings, strands, coverage=Coverage.SEGMENTS, both_strands=True)
        for shard in split_files(job):
            embed(job, shard, settings)
        assert finish_files(job, processes=processes) == []
        found.append(results(job))
    assert found[0] == found[1] == found[2]


def test_a_frame_of_the_other_strand_that_kills_its_worker_is_quarantined(covering: Settings, strands: Path) -> None:
    settings = replace(covering, shard_tokens=1, max_attempts=1)
    job = make_job(settings, strands, both_strands=True)
    shards = list(split_files(job))
    alone = next(
        shard for shard in shards if FrameOwners.of(read_shard_table(job.paths.chunks(shard))).is_reverse.all()
    )
    append_event(job.paths.attempts(alone), Began(probe="whole"))
    append_event(job.paths.attempts(alone), Failed(probe="whole", reason="its worker died"))
    states = [embed(job, shard, settings) for shard in shards]
    assert states.count("quarantined") == 1
    finish_files(job)
    (chunk,) = (row for row in read_table(job.paths.results / "chunks.tsv") if row["status"] == "quarantined")
    assert chunk["record_id"] == "beginning+" and "its worker died" in chunk["reason"]
    report = json.loads(job.paths.run.read_bytes())
    assert report["incomplete"] and report["counts"]["chunks"]["quarantined"] == 1
    rows = read_table(job.paths.results / "records.tsv")
    assert sum(report["counts"]["called_records"].values()) == sum(row["call"] != "NA" for row in rows)


def test_a_job_by_one_strand_does_not_name_the_other(settings: Settings, strands: Path) -> None:
    job = make_job(settings, strands)
    list(split_files(job))
    assert b"both_strands" not in job.paths.job.read_bytes() and b"reverse" not in job.paths.plan.read_bytes()
