"""Scoring and tabulating again from kept vectors and from files of scores."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Virnucpro
from covered_bundle import bundle_with
from job import SAMPLE, make_job, run_job

from virnucpro_tasks.cli.rescore import ONLY_OPEN_FRAMES
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.settings import Settings

TABLES = ("records.tsv", "chunks.tsv", "prediction_results.txt", "prediction_results_highestscore.csv")


@pytest.fixture
def kept(finished: Job, tmp_path: Path) -> Path:
    """The results of a finished run with its vectors, as `predict --keep-embeddings` leaves them."""
    folder = tmp_path / "kept"
    shutil.copytree(finished.paths.results, folder)
    shutil.copytree(finished.paths.embeddings, folder / "embeddings")
    return folder


def equal_tables(one: Path, other: Path, names: tuple[str, ...] = TABLES) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def warnings_of(folder: Path) -> list[str]:
    return json.loads((folder / "run.json").read_bytes())["warnings"]


def test_kept_vectors_give_the_same_tables_and_another_dialect(
    virnucpro: Virnucpro, kept: Path, tmp_path: Path
) -> None:
    out, broad = tmp_path / "out", tmp_path / "broad"
    before = {file: file.read_bytes() for file in kept.rglob("*") if file.is_file()}
    ended = virnucpro("rescore", kept, SAMPLE, "-o", out)
    assert ended.code == ExitCode.OK, ended.err
    assert ended.err[-1] == f"results are in {out}"
    assert equal_tables(out, kept)
    assert json.loads((out / "run.json").read_bytes())["rescored"]["holds"] == "vectors"
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert virnucpro("rescore", kept, SAMPLE, "-o", broad, "--dialect", "broad").code == ExitCode.OK
    assert (broad / TABLES[3]).read_text().startswith("Modified_ID\tIs_Virus\tmax_score_0\tmax_score_1\n")
    assert before == {file: file.read_bytes() for file in kept.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    "rules", [{"both_strands": True, "coverage": Coverage.SEGMENTS}, {"compat": Compat.ORIGINAL}], ids=str
)
def test_work_is_scored_again_by_the_rules_that_it_was_computed_by(
    rules: dict[str, Any], virnucpro: Virnucpro, settings: Settings, tmp_path: Path
) -> None:
    reads, work, out, of_scores = (tmp_path / name for name in ("reads.fasta", "work", "out", "of_scores"))
    closed = "CTAGCTAACGCTTACTAA" * 14
    reads.write_text(f">beginning\n{('ACGGCTGGTCTGGCA' * 17)[:251]}{closed[:250]}\n>partial\n{closed}{'GCA' * 65}\n")
    job = make_job(settings, reads, keep_embeddings=True, **rules)
    run_job(job, settings)
    shutil.copytree(job.paths.results, work)
    shutil.copytree(job.paths.embeddings, work / "embeddings")
    ended = virnucpro("rescore", work, reads, "-o", out)
    assert ended.code == ExitCode.OK, ended.err
    assert equal_tables(out, work)
    parameters, again = (json.loads((folder / "run.json").read_bytes())["parameters"] for folder in (work, out))
    assert parameters == again

    # A file of scores holds neither segments nor frames of the other strand: its records are not quarantined for that.
    shutil.rmtree(work / "embeddings")
    ended = virnucpro("rescore", work, reads, "-o", of_scores)
    assert ended.code == ExitCode.OK, ended.err
    assert equal_tables(of_scores, work, TABLES[2:])
    assert (ONLY_OPEN_FRAMES in warnings_of(of_scores)) == ("coverage" in rules)
    assert all(f"warning: {text}" in ended.err for text in warnings_of(of_scores))


@pytest.mark.parametrize("then", [100, 170, 10**6])
def test_shards_may_be_cut_elsewhere_than_in_the_work(
    then: int, virnucpro: Virnucpro, settings: Settings, tmp_path: Path
) -> None:
    reads, work, out = (tmp_path / name for name in ("reads.fasta", "work", "out"))
    # Records of one and of three frames, and one of them with the sequence of another.
    bodies = ["GCA" * n for n in range(25, 34)] + ["GCA" * 25]
    reads.write_text("".join(f">r{n}\n{body}\n" for n, body in enumerate(bodies)))
    job = make_job(replace(settings, shard_tokens=120), reads, keep_embeddings=True)
    run_job(job, settings)
    shutil.copytree(job.paths.results, work)
    shutil.copytree(job.paths.embeddings, work / "embeddings")
    files = sorted((work / "embeddings").iterdir())
    assert len(files) > 3
    ended = virnucpro("rescore", work, reads, "-o", out, "--shard-tokens", then)
    assert ended.code == ExitCode.OK, ended.err
    assert equal_tables(out, work)
    engines = [json.loads((folder / "run.json").read_bytes())["engine"]["tokens"] for folder in (work, out)]
    assert engines[0] == engines[1] > 0
    # One that is missing is none of which the others take the place.
    files[1].unlink()
    ended = virnucpro("rescore", work, reads, "-o", tmp_path / "lacking")
    assert ended.code == ExitCode.BAD_INPUT and "its vectors are not those of the next frames" in ended.err[-1]
    assert not (tmp_path / "lacking").exists()


def test_other_rules_than_those_of_the_original_are_refused_in_words(
    virnucpro: Virnucpro, kept: Path, tmp_path: Path
) -> None:
    report = json.loads((kept / "run.json").read_bytes())
    report["parameters"] |= {"compat": "original"}
    (kept / "run.json").write_text(json.dumps(report))
    for *flags, named in (
        ("--dialect", "broad", "the dialect broad"),
        ("--min-length", "90", "--min-length 90"),
        ("--coverage", "segments", "--coverage segments"),
    ):
        ended = virnucpro("rescore", kept, SAMPLE, "-o", tmp_path / "out", *flags)
        words = f"--compat original, by which {kept} was computed, and {named} contradict each other"
        assert ended.code == ExitCode.USAGE and words in ended.err[-1]
    assert not (tmp_path / "out").exists()


def test_another_head_needs_the_bundle_of_the_vectors(virnucpro: Virnucpro, kept: Path, tmp_path: Path) -> None:
    other = bundle_with(tmp_path / "other", None)
    refused = virnucpro("rescore", kept, SAMPLE, "-o", tmp_path / "out", "--bundle", other)
    assert refused.code == ExitCode.BAD_INPUT and "--computed-with" in refused.err[-1]
    assert not (tmp_path / "out").exists()
    ended = virnucpro(
        "rescore", kept, SAMPLE, "-o", tmp_path / "out", "--bundle", other, "--computed-with", demo_bundle().path
    )
    assert ended.code == ExitCode.OK
    assert not equal_tables(tmp_path / "out", kept, ("records.tsv",))
    assert equal_tables(tmp_path / "out", kept, TABLES[2:])


@pytest.mark.parametrize("dialect", ["original", "broad"])
def test_a_file_of_scores_gives_its_tables_back_to_the_last_digit(
    dialect: str, virnucpro: Virnucpro, kept: Path, tmp_path: Path
) -> None:
    source = kept
    if dialect == "broad":
        source = tmp_path / "broad"
        virnucpro("rescore", kept, SAMPLE, "-o", source, "--dialect", "broad")
    only = tmp_path / "only"
    only.mkdir()
    for name in TABLES[2:]:
        shutil.copy(source / name, only)
    if dialect == "broad":
        # As --layout leaves them: the tables once more.
        shutil.copytree(only, only / "a_merged")
    out = tmp_path / "out"
    ended = virnucpro("rescore", only, SAMPLE, "-o", out, "--dialect", dialect)
    assert ended.code == ExitCode.OK, ended.err
    assert equal_tables(out, source, TABLES if dialect == "original" else TABLES[2:])
    assert [text for text in warnings_of(out) if "is not proved" in text]
    assert not [text for text in warnings_of(out) if "called otherwise" in text]


def test_columns_come_in_any_order_and_records_without_a_score_are_told(
    virnucpro: Virnucpro, kept: Path, tmp_path: Path
) -> None:
    header, first, *lines = (line.split("\t") for line in (kept / TABLES[2]).read_text().splitlines())
    folder = tmp_path / "scores"
    folder.mkdir()
    shuffled = folder / "mine.tsv"
    turned = ["\t".join([*reversed(fields), "x"]) for fields in ([*header], *lines[::-1])]
    shuffled.write_text("".join(f"{line}\n" for line in turned))
    calls = folder / "calls.csv"
    calls.write_text(f"Is_Virus\tModified_ID\nTrue\t{lines[0][0][:-2]}\nFalse\t{lines[0][0][:-2]}x\n")
    out = tmp_path / "out"
    ended = virnucpro("rescore", folder, SAMPLE, "-o", out)
    assert ended.code == ExitCode.INCOMPLETE
    assert first[0][:-2].rpartition("_chunk_")[0] in (out / "records.tsv").read_text()
    assert "the file of scores has no score of its frames" in (out / "chunks.tsv").read_text()
    assert any("of 2 chunks in" in text and "called otherwise" in text for text in warnings_of(out))


def test_a_file_without_any_score_leaves_all_records_unscored(virnucpro: Virnucpro, tmp_path: Path) -> None:
    # As earlier tools write it if no record has an open frame.
    scores, calls = tmp_path / TABLES[2], tmp_path / TABLES[3]
    scores.write_text("Sequence_ID\tPrediction\tscore1\tscore2\n")
    calls.write_text("\n")
    inputs = tmp_path / "in.fa"
    inputs.write_text(f">open\n{'GCA' * 40}\n")
    ended = virnucpro("rescore", tmp_path, inputs, "-o", tmp_path / "out")
    assert ended.code == ExitCode.INCOMPLETE, ended.err
    assert (tmp_path / "out" / TABLES[2]).read_text() == scores.read_text()
    assert "quarantined" in (tmp_path / "out" / "records.tsv").read_text()


REFUSED = {
    "empty": ("", "no columns Sequence_ID, score1 and score2"),
    "calls": ("Modified_ID\tIs_Virus\nx\tTrue\n", "no scores of frames"),
    "cut line": ("Sequence_ID\tPrediction\tscore1\tscore2\nx_chunk_1F1\tvirus\t0.1", "the line has 3 fields"),
    "cut number": ("Sequence_ID\tPrediction\tscore1\tscore2\nx_chunk_1F1\tvirus\t0.1\t0.", "the file was cut off"),
    "no number": ("Sequence_ID\tscore1\tscore2\nx_chunk_1F1\t0.1\tnine\n", "line 2"),
    "not a number": ("Sequence_ID\tscore1\tscore2\nx_chunk_1F1\tnan\tnan\n", "no two scores that add up to one"),
    "sum": ("Sequence_ID\tscore1\tscore2\nx_chunk_1F1\t0.5\t0.9\n", "no two scores that add up to one"),
    "twice": ("Sequence_ID\tscore1\tscore2\n" + 2 * "x_chunk_1F1\t0.5\t0.5\n", "listed twice"),
    "no id": ("Sequence_ID\tscore1\tscore2\nF1\t0.5\t0.5\n", "no id of a frame"),
    "others": ("Sequence_ID\tscore1\tscore2\nx_chunk_1F1\t0.5\t0.5\n", "none of its frames is one of the inputs"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_files_that_are_no_scores_are_refused(kind: str, virnucpro: Virnucpro, tmp_path: Path) -> None:
    content, reason = REFUSED[kind]
    file = tmp_path / "scores.txt"
    file.write_text(content)
    ended = virnucpro("rescore", file, SAMPLE, "-o", tmp_path / "out")
    assert ended.code == ExitCode.BAD_INPUT and reason in ended.err[-1]
    assert not (tmp_path / "out").exists()


def test_a_folder_with_several_files_of_scores_or_none_is_refused(virnucpro: Virnucpro, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    assert "it has no file of scores" in virnucpro("rescore", folder, SAMPLE, "-o", tmp_path / "out").err[-1]
    for score in ("0.5", "0.6"):
        (folder / f"{score}_merged").mkdir()
        (folder / f"{score}_merged" / "scores.txt").write_text(
            f"Sequence_ID\tscore1\tscore2\nx_chunk_1F1\t{score}\t0.5\n"
        )
    ended = virnucpro("rescore", folder, SAMPLE, "-o", tmp_path / "out")
    assert ended.code == ExitCode.BAD_INPUT and "it has 2 different files of scores" in ended.err[-1]


def test_vectors_of_other_inputs_and_damaged_ones_are_refused(virnucpro: Virnucpro, kept: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.fa"
    other.write_text(f">r\n{'ATGGCC' * 50}\n")
    ended = virnucpro("rescore", kept, other, "-o", tmp_path / "out")
    assert ended.code == ExitCode.BAD_INPUT and "its vectors are not those of the next frames" in ended.err[-1]
    (file,) = (kept / "embeddings").iterdir()
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)
    ended = virnucpro("rescore", kept, SAMPLE, "-o", tmp_path / "out")
    assert ended.code == ExitCode.BAD_INPUT and "it is damaged" in ended.err[-1]
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten_unasked(virnucpro: Virnucpro, kept: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "records.tsv").write_text("mine")
    ended = virnucpro("rescore", kept, SAMPLE, "-o", out)
    assert ended.code == ExitCode.USAGE and (out / "records.tsv").read_text() == "mine"
    assert virnucpro("rescore", kept, SAMPLE, "-o", kept, "--force").code == ExitCode.USAGE
    assert virnucpro("rescore", kept, SAMPLE, "-o", out, "--force").code == ExitCode.OK
    assert equal_tables(out, kept)
