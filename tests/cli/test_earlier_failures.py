"""failed_files.txt, which scripts of the earlier package read after exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from job import make_job, run_job

from virnucpro_tasks.cli.earlier_failures import FAILED_FILE, put_failures, require_free_failures
from virnucpro_tasks.errors import OutputError
from virnucpro_tasks.settings import Settings


@pytest.fixture
def results(settings: Settings, tmp_path: Path) -> Path:
    """The results of an input with a record that cannot be read."""
    reads = tmp_path / "reads.fa"
    reads.write_text(f">good\n{'GCA' * 40}\n>gi|1|bad\n{'GCA' * 40}*\n")
    job = make_job(settings, reads)
    run_job(job, settings)
    return job.paths.results


def test_each_record_without_a_score_is_a_line_with_file_stage_and_message(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    put_failures(results, out, tmp_path / "reads.fa", force=False)
    (line,) = (out / FAILED_FILE).read_text().splitlines()
    path, stage, message = line.split("|", 2)
    assert (path, stage) == (str(tmp_path / "reads.fa"), "CHUNKING")
    assert message.startswith("record gi|1|bad: ")
    # Once more, and with a chunk that was left out of a record whose others are scored
    put_failures(results, out, tmp_path / "reads.fa", force=False)
    table = results / "records.tsv"
    header, *rows = (row.split("\t") for row in table.read_text().splitlines())
    rows[0][header.index("quarantined_chunks")] = "1"
    table.write_text("".join("\t".join(row) + "\n" for row in (header, *rows)))
    with pytest.raises(OutputError, match="exists already"):
        put_failures(results, out, tmp_path / "reads.fa", force=False)
    put_failures(results, out, tmp_path / "reads.fa", force=True)
    assert [line.split("|")[1] for line in (out / FAILED_FILE).read_text().splitlines()] == ["ESM-2", "CHUNKING"]


def test_without_failures_there_is_no_file(results: Path, tmp_path: Path) -> None:
    table, place = results / "records.tsv", tmp_path / FAILED_FILE
    header, first, *_ = table.read_text().splitlines()
    table.write_text(f"{header}\n{first}\n")
    put_failures(results, tmp_path, tmp_path / "reads.fa", force=False)
    assert not place.exists()
    place.write_text("of another run")
    with pytest.raises(OutputError, match="exists already"):
        put_failures(results, tmp_path, tmp_path / "reads.fa", force=False)
    assert place.read_text() == "of another run"
    put_failures(results, tmp_path, tmp_path / "reads.fa", force=True)
    assert not place.exists()
    table.unlink()
    put_failures(results, tmp_path, tmp_path / "reads.fa", force=False)
    place.mkdir()
    with pytest.raises(OutputError, match="exists already"):
        require_free_failures(tmp_path, force=True)


def test_a_file_of_others_is_told_before_anything_is_computed(virnucpro: Virnucpro, tmp_path: Path) -> None:
    reads = tmp_path / "reads.fa"
    reads.write_text(f">good\n{'GCA' * 40}\n")
    out = tmp_path / "out"
    out.mkdir()
    (out / FAILED_FILE).write_text("mine")
    ended = virnucpro("predict", reads, "-o", out, "--layout", "broad", "--exit-codes", "old")
    assert ended.code == 1 and "failed_files.txt exists already" in ended.err[-1]
    assert [file.name for file in out.iterdir()] == [FAILED_FILE]
