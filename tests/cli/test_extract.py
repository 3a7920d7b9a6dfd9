from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from output.results_folder import make_results
from output.tables import read_table

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import Job


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "in.fa"
    file.write_bytes(b">a x\nACGT\n>b\nGG\n>c\nTTTTTT\n")
    return file


@pytest.fixture
def results(tmp_path: Path, source: Path) -> Path:
    return make_results(tmp_path / "out", [source], [0.9, 0.4, 0.6])


def test_cutoffs_choose_and_the_name_says_whether_to_compress(
    virnucpro: Virnucpro, results: Path, tmp_path: Path
) -> None:
    plain, packed = tmp_path / "x.fasta", tmp_path / "x.fasta.gz"
    ended = virnucpro("extract", results, "-o", plain)
    assert (ended.code, ended.err) == (ExitCode.OK, [f"2 records, 10 bases: {plain}"])
    assert plain.read_bytes() == b">a x virus_score=0.9 chunks=1\nACGT\n>c virus_score=0.6 chunks=1\nTTTTTT\n"
    assert virnucpro("extract", results, "-o", packed, "-q").err == []
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    for cutoffs, ids in (
        (["--preset", "relaxed"], "abc"),
        (["--preset", "conservative", "--min-length", "0"], "a"),
        (["--min-score", "0.7"], "a"),
        (["--min-virus-length", "5"], "c"),
        (["--preset", "conservative"], ""),
    ):
        virnucpro("extract", results, "-o", plain, "--force", *cutoffs)
        assert "".join(line[1] for line in plain.read_text().splitlines() if line.startswith(">")) == ids


def test_standard_output_takes_it_too(virnucpro: Virnucpro, results: Path, tmp_path: Path) -> None:
    ended = virnucpro("extract", results, "-o", "-", "--min-score", "0.8")
    assert ended.code == ExitCode.OK and ended.out == [">a x virus_score=0.9 chunks=1", "ACGT"]
    assert ended.err == ["1 record, 4 bases"]


def test_no_file_of_the_results_is_replaced(virnucpro: Virnucpro, finished: Job) -> None:
    for file in finished.paths.results.iterdir():
        content = file.read_bytes()
        refused = virnucpro("extract", finished.paths.results, "-o", file, "--force")
        assert refused.code == ExitCode.USAGE and "is where a result of this name goes" in refused.err[0]
        assert file.read_bytes() == content


@pytest.mark.parametrize("cutoff", ["--min-score=1.1", "--min-score=nan", "--min-length=-1", "--min-scored-fraction=2"])
def test_a_cutoff_out_of_range_is_wrong_use(virnucpro: Virnucpro, results: Path, tmp_path: Path, cutoff: str) -> None:
    ended = virnucpro("extract", results, "-o", tmp_path / "x.fasta", cutoff)
    assert ended.code == ExitCode.USAGE and len(ended.err) == 1
    assert not (tmp_path / "x.fasta").exists()


def test_nothing_is_replaced_unasked_and_neither_an_input_nor_the_table(
    virnucpro: Virnucpro, results: Path, source: Path, tmp_path: Path
) -> None:
    there = tmp_path / "x.fasta"
    there.write_text("mine")
    refused = virnucpro("extract", results, "-o", there)
    assert refused.code == ExitCode.USAGE and "exists already (choose another name or use --force)" in refused.err[0]
    for kept in (source, results / "records.tsv", results / "run.json"):
        content = kept.read_bytes()
        assert virnucpro("extract", results, "-o", kept, "--force").code == ExitCode.USAGE
        assert kept.read_bytes() == content
    source.rename(tmp_path / "moved.fa")
    missing = virnucpro("extract", results, "-o", there, "--force")
    assert missing.code == ExitCode.BAD_INPUT and "in.fa: there is no such file here" in missing.err[0]
    assert there.read_text() == "mine"
    assert virnucpro("extract", results, tmp_path / "moved.fa", "-o", there, "--force").code == ExitCode.OK
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_results_of_earlier_versions_are_taken_by_their_mean_and_that_is_said(
    virnucpro: Virnucpro, finished: Job, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    shutil.copytree(finished.paths.results, folder)
    table = folder / "records.tsv"
    table.write_bytes(b"".join(line.rsplit(b"\t", 2)[0] + b"\n" for line in table.read_bytes().splitlines()))
    report = json.loads((folder / "run.json").read_text())
    report["sha256"]["records.tsv"] = hashlib.sha256(table.read_bytes()).hexdigest()
    (folder / "run.json").write_text(json.dumps(report))
    ended = virnucpro("extract", folder, "-o", "-", "--min-score", "0")
    assert "of an earlier version: its scores are those of the column mean_viral_score" in " ".join(ended.err)
    means = [row["mean_viral_score"] for row in read_table(table) if row["status"] == "scored"]
    assert [line.split(" virus_score=")[1].split()[0] for line in ended.out if line.startswith(">")] == means


def test_a_rate_of_results_without_rates_is_refused_and_why(
    virnucpro: Virnucpro, finished: Job, results: Path, tmp_path: Path
) -> None:
    refusal = json.loads((finished.paths.results / "run.json").read_text())["fdr"]["refusal"]
    assert refusal
    for folder, reason in ((finished.paths.results, refusal), (results, "of an earlier version")):
        refused = virnucpro("extract", folder, "-o", tmp_path / "x.fasta", "--max-fdr", "0.1")
        assert refused.code == ExitCode.BAD_INPUT and not (tmp_path / "x.fasta").exists()
        told = " ".join(refused.err)
        assert "the results have no false-discovery rates: " in told and reason in told


def test_where_there_are_rates_the_preset_is_one_and_is_said(
    virnucpro: Virnucpro, results: Path, tmp_path: Path
) -> None:
    table = results / "records.tsv"
    header, *lines = table.read_text().splitlines()
    assert header.endswith("\tfdr")
    rates = [line.rsplit("\t", 1)[0] + f"\t{rate}" for line, rate in zip(lines, (0.04, 0.3, 0.15), strict=True)]
    table.write_text("\n".join([header, *rates, ""]))
    report = json.loads((results / "run.json").read_text())
    report["sha256"]["records.tsv"] = hashlib.sha256(table.read_bytes()).hexdigest()
    report["fdr"] = {"refusal": "", "prior": 0.2, "prior_is": "given"}
    (results / "run.json").write_text(json.dumps(report))
    for cutoffs, ids, told in (
        ([], "a", "1 record up to a false-discovery rate of 0.1, 4 bases"),
        (["--preset", "relaxed"], "ac", "2 records up to a false-discovery rate of 0.2, 10 bases"),
        (["--max-fdr", "0.3"], "abc", "3 records up to a false-discovery rate of 0.3, 12 bases"),
        (["--max-fdr", "0.3", "--min-length", "5"], "c", "1 record up to a false-discovery rate of 0.3, 6 bases"),
        (["--min-score", "0.5"], "ac", "2 records, 10 bases"),
    ):
        ended = virnucpro("extract", results, "-o", "-", *cutoffs)
        assert "".join(line[1] for line in ended.out if line.startswith(">")) == ids
        assert ended.err == [told]
