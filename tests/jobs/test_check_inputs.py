"""What a client says of inputs before any work."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from job import SAMPLE, all_jobs, make_job, run_job

from virnucpro_tasks.errors import EmptyInputError, InputError
from virnucpro_tasks.jobs.check_inputs import refuse_inputs
from virnucpro_tasks.jobs.sequences import input_sequences, record_ids
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.settings import Settings


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    file = tmp_path / "empty.fasta"
    file.touch()
    return file


def test_an_empty_file_among_others_is_listed_and_the_others_are_scored(settings: Settings, empty: Path) -> None:
    job = make_job(settings, SAMPLE, empty)
    assert [entry.empty for entry in job.spec.inputs] == [False, True]
    run_job(job, settings)
    report = json.loads(job.paths.run.read_bytes())
    assert [entry.get("empty", False) for entry in report["inputs"]] == [False, True]
    assert f"{empty} is empty: it holds no record" in report["warnings"]
    assert report["exit_code"] == 0
    # And those who read only ids or sequences pass it over in the same way
    assert len(list(record_ids([empty, SAMPLE]))) == len(input_sequences(job)) == 14


def test_a_job_without_empty_inputs_is_described_as_before(settings: Settings) -> None:
    assert b"empty" not in make_job(settings, SAMPLE).paths.job.read_bytes()


def test_no_job_is_made_of_empty_files_alone_nor_strictly_with_one(settings: Settings, empty: Path) -> None:
    with pytest.raises(EmptyInputError, match="the file is empty, and so is the other input"):
        make_job(settings, empty, empty)
    with pytest.raises(EmptyInputError, match="the file is empty"):
        make_job(settings, SAMPLE, empty, strict=True)
    assert not settings.store.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"\n \n\r\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0), gzip.compress(b"\n\n", mtime=0)],
    ids=["nothing", "blank lines", "byte order mark", "gzip of nothing", "gzip of blank lines"],
)
@pytest.mark.parametrize("count", [1, 2])
def test_empty_files_alone_give_tables_of_headers_if_that_is_allowed(
    content: bytes, count: int, settings: Settings, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.fastq" for number in range(count)]
    for file in files:
        file.write_bytes(content)
    with pytest.raises(EmptyInputError):
        make_job(settings, *files)
    job = make_job(settings, *files, allow_empty=True)
    assert job.is_empty
    run_job(job, settings)
    report = json.loads(job.paths.run.read_bytes())
    assert (report["exit_code"], report["incomplete"], report["counts"]["records"]["scored"]) == (0, False, 0)
    for name in ("records.tsv", "chunks.tsv", "prediction_results.txt", "prediction_results_highestscore.csv"):
        assert (job.paths.results / name).read_bytes().count(b"\n") == 1, name


def test_an_empty_file_that_is_allowed_is_no_error_of_a_strict_job(settings: Settings, empty: Path) -> None:
    job = make_job(settings, SAMPLE, empty, strict=True, allow_empty=True)
    run_job(job, settings)
    assert json.loads(job.paths.run.read_bytes())["counts"]["records"]["scored"] > 0


def test_another_format_is_refused_even_if_nothing_is_allowed(settings: Settings, tmp_path: Path) -> None:
    table = tmp_path / "table.tsv"
    table.write_text("a\tb\n1\t2\n")
    with pytest.raises(InputError, match="sequence without a header"):
        make_job(settings, table, allow_empty=True)


def test_another_format_is_refused_before_a_job_is_made(settings: Settings, tmp_path: Path) -> None:
    page = tmp_path / "page.fasta"
    page.write_bytes(b"<html>")
    with pytest.raises(InputError, match="this is HTML or XML"):
        make_job(settings, SAMPLE, page)
    assert all_jobs(settings) == []


def test_what_can_be_read_only_once_is_left_alone(tmp_path: Path) -> None:
    refuse_inputs([ReadInput(path, str(path)) for path in (Path("-"), tmp_path, tmp_path / "missing")], strict=True)
