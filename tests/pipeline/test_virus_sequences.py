"""virus.fasta.gz of a job: the records called virus as in its inputs, the same however it is cut, and made again."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from errno import EIO
from pathlib import Path
from typing import Any

import pytest
from job import SAMPLE, embed, finish_files, make_job, run_job
from output.tables import read_table
from reads.bam_files import Read, write_bam

from virnucpro_tasks.errors import InputError, StoreError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.output_options import output_options
from virnucpro_tasks.jobs.sample_sheet import read_sample_sheet
from virnucpro_tasks.output.bgzf import BgzfWriter
from virnucpro_tasks.output.extract import extract, find_inputs, open_results
from virnucpro_tasks.pipeline import score
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.reads import inputs as inputs_module
from virnucpro_tasks.reads.record import Record
from virnucpro_tasks.reads.records import read_records
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan

pytestmark = pytest.mark.usefixtures("known_sequences")


@pytest.fixture(scope="module")
def records() -> list[Record]:
    with SAMPLE.open("rb") as stream:
        return list(read_records(stream, name="sample"))


@pytest.fixture
def inputs(tmp_path: Path, records: list[Record]) -> list[Path]:
    """The records of the sample in three formats, with hostile ids, in lower case, and one that is too short."""
    fasta, fastq = tmp_path / "a.fa.gz", tmp_path / "b.fq"
    hostile = [b'"q"', b"=1+1", b"<b>&amp;", b">x", b"\xff\x1b[0m"]
    lines = [
        b">%b of  %b\t\n%b\n\n%b\n" % (name, record.record_id, record.sequence.lower(), b"ACGU")
        for name, record in zip(hostile, records[:5], strict=True)
    ]
    fasta.write_bytes(gzip.compress(b">short\nACGT\n" + b"".join(lines)))
    fastq.write_bytes(
        b"".join(b"@%b 1:N:0\n%b\n+\n%b\n\n" % (r.record_id, r.sequence, b"@" * r.length) for r in records[5:8])
    )
    reads = [Read(r.record_id.decode(), r.sequence.decode(), 16) for r in records[8:]]
    return [fasta, fastq, write_bam(tmp_path / "c", *reads)]


def sequences_of(job: Job) -> bytes:
    return (job.paths.results / "virus.fasta.gz").read_bytes()


def headers(packed: bytes) -> list[bytes]:
    return gzip.decompress(packed).splitlines()[::2]


def extracted(results: Path, file: Path, *, inputs: list[Path], **cutoffs: float) -> bytes:
    opened = open_results(results)
    with file.open("wb") as handle, BgzfWriter(handle) as packed:
        extract(opened, find_inputs(opened, inputs), output_options(**cutoffs).cutoffs, packed.write)  # type: ignore[arg-type]
    return file.read_bytes()


def test_records_called_virus_are_there_as_in_the_inputs(
    settings: Settings, inputs: list[Path], tmp_path: Path
) -> None:
    job = make_job(settings, *inputs)
    run_job(job, settings)
    viruses = [row for row in read_table(job.paths.results / "records.tsv") if row["call"] == "virus"]
    assert len({row["input"] for row in viruses}) >= 2
    lines = gzip.decompress(sequences_of(job)).splitlines()
    assert [line.split()[0][1:].decode(errors="surrogateescape") for line in lines[::2]] == [
        row["record_id"] for row in viruses
    ]
    for header, sequence, row in zip(lines[::2], lines[1::2], viruses, strict=True):
        description = row["description"].encode(errors="surrogateescape")
        assert description in header and len(sequence) == int(row["length"])
        added = f" virus_score={row['virus_score']} chunks={row['chunks']}"
        assert header.endswith(added.encode())
        is_fasta = row["input"] == str(inputs[0])
        assert sequence.endswith(b"ACGU") is is_fasta and sequence[:99].islower() is is_fasta
    again = extracted(job.paths.results, tmp_path / "again.fa.gz", inputs=inputs)
    assert again == sequences_of(job)
    scored = sum(row["status"] == "scored" for row in read_table(job.paths.results / "records.tsv"))
    assert len(headers(extracted(job.paths.results, tmp_path / "all", inputs=inputs, min_score=0.0))) == scored


@pytest.mark.usefixtures("forked")
def test_bytes_do_not_depend_on_shards_or_processes(
    settings: Settings, inputs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()
    monkeypatch.setattr(score, "FRAMES_PER_PROCESS", 1)
    for tokens, processes in ((10**6, 1), (400, 1), (700, 2)):
        changed = replace(settings, shard_tokens=tokens)
        job = make_job(changed, *inputs)
        for shard in split_files(job):
            embed(job, shard, changed)
        assert (len(read_plan(job.paths.plan).shards) > 3) is (tokens < 1000)
        assert finish_files(job, processes=processes) == []
        found.add(sequences_of(job))
    assert len(found) == 1


def test_cutoffs_of_the_job_choose_and_are_in_the_report(
    settings: Settings, inputs: list[Path], tmp_path: Path
) -> None:
    options = output_options(preset="relaxed", min_score=0.2, min_length=400, prefix="S1_")
    job = make_job(settings, *inputs, outputs=options)
    run_job(job, settings)
    file = job.paths.results / "S1_virus.fasta.gz"
    report = json.loads(job.paths.run.read_bytes())
    assert report["parameters"]["outputs"]["cutoffs"] == {
        "min_score": 0.2,
        "min_length": 400,
        "min_scored_fraction": options.cutoffs.min_scored_fraction,
        "max_fdr": None,
    }
    assert "S1_virus.fasta.gz" in report["sha256"]
    rows = read_table(job.paths.results / "records.tsv")
    expected = [
        row["record_id"]
        for row in rows
        if row["status"] == "scored" and float(row["virus_score"]) >= 0.2 and int(row["length"]) >= 400
    ]
    assert len(headers(file.read_bytes())) == len(expected) > sum(row["call"] == "virus" for row in rows)
    default = make_job(settings, *inputs)
    run_job(default, settings)
    again = extracted(default.paths.results, tmp_path / "x.gz", inputs=inputs, min_score=0.2, min_length=400)
    assert again == file.read_bytes()


def test_each_sample_has_its_own(settings: Settings, inputs: list[Path], tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    (tmp_path / "none.fa").touch()
    rows = [f"s{number},{path}" for number, path in enumerate([inputs[0], tmp_path / "none.fa", *inputs[1:]])]
    sheet.write_text("\n".join(["sample,file", *rows]))
    job = make_job(settings, *read_sample_sheet(sheet, reserved=()))  # type: ignore[arg-type]
    run_job(job, settings)
    results = job.paths.results
    together = b""
    for number, source in ((0, inputs[0]), (2, inputs[1]), (3, inputs[2])):
        alone = make_job(settings, source)
        run_job(alone, settings)
        packed = (results / f"s{number}" / "virus.fasta.gz").read_bytes()
        assert packed == sequences_of(alone)
        assert extracted(results / f"s{number}", tmp_path / "x.gz", inputs=[source]) == packed
        together += gzip.decompress(packed)
    assert headers((results / "s1" / "virus.fasta.gz").read_bytes()) == []
    assert not (results / "virus.fasta.gz").exists()
    given = [*inputs, tmp_path / "none.fa"]
    assert gzip.decompress(extracted(results, tmp_path / "x.gz", inputs=given)) == together


@pytest.mark.parametrize("is_gone", [True, False])
def test_without_the_inputs_all_other_results_are_there(settings: Settings, tmp_path: Path, is_gone: bool) -> None:
    source = tmp_path / "in.fa"
    content = SAMPLE.read_bytes()
    source.write_bytes(content)
    job = make_job(settings, source)
    for shard in split_files(job):
        embed(job, shard, settings)
    if is_gone:
        job.paths.input(0).unlink()
    else:
        job.paths.input(0).write_bytes(content.replace(b">", b">x"))
    assert finish_files(job) == []
    report = json.loads(job.paths.run.read_bytes())
    assert not (job.paths.results / "virus.fasta.gz").exists() and "virus.fasta.gz" not in report["sha256"]
    (warning,) = [warning for warning in report["warnings"] if "left out" in warning]
    assert warning.startswith("virus.fasta.gz is left out, because inputs in the folder of the job are gone")
    assert warning in (job.paths.results / "virnucpro.log").read_text()
    source.write_bytes(content)
    assert headers(extracted(job.paths.results, tmp_path / "x.gz", inputs=[source]))


def test_a_disk_that_fails_is_no_changed_input(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(settings, SAMPLE)
    for shard in split_files(job):
        embed(job, shard, settings)
    opened = inputs_module.open_input

    def broken(path: Path, *, name: str) -> Any:
        try:
            raise OSError(EIO, "Input/output error")
        except OSError:
            raise InputError("the file cannot be opened", file=name) from None

    monkeypatch.setattr(inputs_module, "open_input", broken)
    with pytest.raises(StoreError, match="Input/output error"):
        finish_files(job)
    monkeypatch.setattr(inputs_module, "open_input", opened)
    assert finish_files(job) == [] and headers(sequences_of(job))
