"""A job of a sample sheet from its inputs to its results: each sample as if it had been run alone."""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from job import SAMPLE, embed, finish_files, make_job, run_job
from output.tables import read_table
from reads.bam_files import Read, write_bam

from virnucpro_tasks.errors import DamagedError, ExitCode, InputError
from virnucpro_tasks.jobs.deduplicate import content_key
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.results import result_files
from virnucpro_tasks.jobs.sample_sheet import read_sample_sheet
from virnucpro_tasks.output.tables import TABLES
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.reads.record import Record
from virnucpro_tasks.reads.records import read_records
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan

NAMES = [table.name for table in TABLES]


@pytest.fixture
def small(settings: Settings) -> Settings:
    return replace(settings, shard_tokens=1_500)


@pytest.fixture
def records() -> list[Record]:
    with SAMPLE.open("rb") as stream:
        return list(read_records(stream, name="sample"))


def submitted(settings: Settings, folder: Path, *lines: str, **changed: Any) -> Job:
    sheet = folder / "sheet.csv"
    sheet.write_text("\n".join(["sample,file,file2", *lines]))
    return make_job(settings, *read_sample_sheet(sheet, reserved=()), **changed)  # type: ignore[arg-type]


def write_fasta(file: Path, records: list[Record]) -> None:
    file.write_bytes(b"".join(b">%b\n%b\n" % (record.record_id, record.sequence) for record in records))


def tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in NAMES}


def report_of(job: Job) -> dict[str, Any]:
    return json.loads(job.paths.run.read_bytes())


@pytest.fixture
def job(small: Settings, tmp_path: Path, records: list[Record]) -> Job:
    """A finished job: a sample on two lines, one of a BAM file with pairs, and one without a record."""
    write_fasta(tmp_path / "one.fa", records[:3])
    write_fasta(tmp_path / "two.fa", records[3:5])
    (tmp_path / "none.fq.gz").write_bytes(gzip.compress(b""))
    reads = [
        Read(record.record_id.decode(), record.sequence.decode(), flag)
        for record in records[5:7]
        for flag in (77, 141, 256)
    ]
    write_bam(tmp_path / "pairs.bam", *reads)
    job = submitted(small, tmp_path, "A,one.fa", "none,none.fq.gz", "B,pairs.bam", "A,two.fa")
    run_job(job, small)
    return job


def test_each_sample_has_the_bytes_of_a_job_of_its_own(job: Job, small: Settings, tmp_path: Path) -> None:
    for sample, files in (("A", ["one.fa", "two.fa"]), ("B", ["pairs.bam"])):
        alone = make_job(small, *(tmp_path / name for name in files))
        run_job(alone, small)
        assert tables(job.paths.results / sample) == tables(alone.paths.results)
    assert all(content.count(b"\n") <= 1 for content in tables(job.paths.results / "none").values())


def test_joint_tables_the_summary_and_the_report_agree(job: Job) -> None:
    rows = read_table(job.paths.results / "records.tsv")
    assert [(row["sample"], row["record"], row["mate"]) for row in rows] == [
        *(("A", str(number), "NA") for number in range(1, 6)),
        *(("B", str(number), str(2 - number % 2)) for number in range(1, 5)),
    ]
    samples = read_table(job.paths.results / "samples.tsv")
    assert [(row["sample"], row["files"], row["records"]) for row in samples] == [
        ("A", "2", "5"),
        ("none", "1", "0"),
        ("B", "1", "4"),
    ]
    report = report_of(job)
    assert {name: sum(entry["records"].values()) for name, entry in report["samples"].items()} == {
        "A": 5,
        "none": 0,
        "B": 4,
    }
    assert sum(report["counts"]["records"].values()) == 9
    assert [entry.get("skipped_alignments", 0) for entry in report["inputs"]] == [0, 0, 0, 2]
    assert any("pairs.bam: 2 secondary or supplementary alignments left out" in text for text in report["warnings"])
    assert any("sample none holds no record" in text for text in report["warnings"])
    assert not any("listed" in entry for entry in report["inputs"])


def test_the_files_of_all_samples_are_listed_with_their_digests_and_checked(job: Job) -> None:
    listed = {*(f"{sample}/{name}" for sample in ("A", "B", "none") for name in NAMES), "samples.tsv"}
    assert listed <= set(report_of(job)["sha256"])
    found = {str(file.relative_to(job.paths.results)) for file in job.paths.results.rglob("*") if file.is_file()}
    assert {str(file.relative_to(job.paths.results)) for file in result_files(job)} == found
    (job.paths.results / "A" / "chunks.tsv").write_text("changed")
    with pytest.raises(DamagedError, match=r"A/chunks\.tsv is missing or damaged"):
        result_files(job)


def test_a_damaged_shard_and_plan_of_samples_are_cut_again(
    small: Settings, tmp_path: Path, records: list[Record]
) -> None:
    write_fasta(tmp_path / "a.fa", records[:2])
    write_fasta(tmp_path / "b.fa", records[2:4])
    job, quiet = (submitted(small, tmp_path, "A,a.fa", "B,b.fa") for _ in range(2))
    run_job(quiet, small)
    for shard in split_files(job):
        embed(job, shard, small)
    plan = read_plan(job.paths.plan)
    job.paths.chunks(len(plan.shards) - 1).write_bytes(b"")
    job.paths.plan.write_bytes(b"{")
    assert finish_files(job) == plan.to_embed
    assert read_plan(job.paths.plan) == plan
    job.paths.chunks(len(plan.shards) - 1).write_bytes(b"")
    assert finish_files(job) == []
    for sample in ("A", "B"):
        assert tables(job.paths.results / sample) == tables(quiet.paths.results / sample)


def test_other_samples_or_mates_of_the_same_files_are_other_work(small: Settings, tmp_path: Path) -> None:
    (tmp_path / "one.fa").write_bytes(SAMPLE.read_bytes())
    (tmp_path / "two.fa").write_text(">x\nACGT\n")
    sheets = ["A,one.fa\nA,two.fa", "A,one.fa\nB,two.fa", "A,one.fa,two.fa", "# moved\nA,one.fa\nA,two.fa"]
    keys = [content_key(submitted(small, tmp_path, sheet).spec) for sheet in sheets]
    alone = content_key(make_job(small, tmp_path / "one.fa", tmp_path / "two.fa").spec)
    assert keys[0] == keys[3] and len({alone, *keys}) == 4


def test_a_fault_found_while_splitting_names_the_line_of_the_sheet(small: Settings, tmp_path: Path) -> None:
    read = b"@r%d\n" + b"ACGTTGCATT" * 30 + b"\n+\n" + b"I" * 300 + b"\n"
    good = read % 0 + read % 1
    (tmp_path / "bad.fq").write_bytes(good + b"@cut\nACGT\n+\nII")
    (tmp_path / "good.fa").write_bytes(SAMPLE.read_bytes())
    job = submitted(small, tmp_path, "A,good.fa", "B,bad.fq")
    list(split_files(job))
    failure = json.loads(job.paths.failed.read_bytes())
    assert failure["exit_code"] == 3
    assert "sheet.csv, line 3: " in failure["message"] and "bad.fq, line 12" in failure["message"]


def test_a_fault_that_the_beginning_shows_is_told_before_a_job_is_made(small: Settings, tmp_path: Path) -> None:
    (tmp_path / "page.fa").write_text("<html>")
    (tmp_path / "good.fa").write_bytes(SAMPLE.read_bytes())
    with pytest.raises(InputError, match=r"sheet\.csv, line 3: .*page\.fa, line 1: this is HTML"):
        submitted(small, tmp_path, "A,good.fa", "B,page.fa")
    assert not small.store.exists()


def test_a_sheet_of_empty_files_gives_empty_tables_if_that_is_allowed(small: Settings, tmp_path: Path) -> None:
    (tmp_path / "e.fa").touch()
    with pytest.raises(InputError, match=r"sheet\.csv, line 2: .*e\.fa: the file is empty"):
        submitted(small, tmp_path, "A,e.fa")
    job = submitted(small, tmp_path, "A,e.fa", allow_empty=True)
    run_job(job, small)
    assert all(content.count(b"\n") <= 1 for content in tables(job.paths.results / "A").values())
    assert (job.paths.results / "records.tsv").read_text().endswith("\tsample\n")


def test_inputs_without_a_sheet_are_described_as_before(settings: Settings) -> None:
    job = make_job(settings, SAMPLE)
    assert job.inputs == [ReadInput(job.paths.input(0), str(SAMPLE))]
    (entry,) = json.loads(job.paths.job.read_bytes())["inputs"]
    assert set(entry) == {"name", "bytes", "sha256"}


def test_a_coordinator_without_pysam_fails_a_job_of_bam_with_the_cause(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(settings, write_bam(tmp_path / "in.bam", Read("r", "ACGT" * 30)))
    monkeypatch.setitem(sys.modules, "pysam", None)
    assert list(split_files(job)) == []
    failure = json.loads(job.paths.failed.read_bytes())
    assert failure["exit_code"] == ExitCode.USAGE
    assert "in.bam: reading BAM needs pysam" in failure["message"] and "pip install '.[bam]'" in failure["message"]
