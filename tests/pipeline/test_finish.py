from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from job import SAMPLE, embed, finish_files, make_job, run_job
from output.tables import read_table

from virnucpro_tasks.errors import ExitCode, StoreError
from virnucpro_tasks.jobs.job import Job, remove_job, reopen_job
from virnucpro_tasks.output.counts import ResultCounts
from virnucpro_tasks.pipeline import finish
from virnucpro_tasks.pipeline.repair import repair
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.recovery.stage import StageRetryError
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan

SCORE_COLUMNS = ("highest_viral_score", "mean_viral_score")


@pytest.fixture
def small(settings: Settings) -> Settings:
    """The sample makes five shards."""
    return replace(settings, shard_tokens=1_500)


@pytest.fixture
def alone(settings: Settings) -> Settings:
    """The first shard holds a piece of one record."""
    return replace(settings, shard_tokens=500)


def results_of(job: Job) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in job.paths.results.iterdir() if file.name != "run.json"}


def test_what_is_missing_is_named_and_nothing_is_written(small: Settings) -> None:
    job = make_job(small, SAMPLE)
    shards = list(split_files(job))
    assert finish_files(job) == shards
    for shard in shards[:-1]:
        embed(job, shard, small)
    assert finish_files(job) == shards[-1:]
    assert not job.paths.results.exists()
    assert not job.paths.run.exists()


def test_nothing_happens_before_the_plan_is_there(small: Settings) -> None:
    assert finish_files(make_job(small, SAMPLE)) == []


def test_results_do_not_depend_on_the_size_of_shards(small: Settings, settings: Settings) -> None:
    small_shards, one_shard = make_job(small, SAMPLE), make_job(settings, SAMPLE)
    run_job(small_shards, small)
    run_job(one_shard, settings)
    assert len(read_plan(one_shard.paths.plan).shards) == 1
    # Which sequences share a pack may move a vector by some 1e-7; everything else is equal.
    for name in ("records.tsv", "chunks.tsv"):
        rows, others = (read_table(job.paths.results / name) for job in (small_shards, one_shard))
        for row, other in zip(rows, others, strict=True):
            scores = [(row.pop(column), other.pop(column)) for column in SCORE_COLUMNS]
            assert row == other
            assert all(one == two or float(one) == pytest.approx(float(two), abs=1e-5) for one, two in scores)


def test_the_report_tells_what_the_engine_did(small: Settings) -> None:
    job = make_job(small, SAMPLE)
    run_job(job, small)
    engine = json.loads(job.paths.run.read_bytes())["engine"]
    shards = len(read_plan(job.paths.plan).to_embed)
    assert engine["packs"] >= 2 * shards and engine["tokens"] > read_plan(job.paths.plan).tokens
    assert engine["token_fill"] == pytest.approx(engine["tokens"] / engine["capacity"], abs=1e-4)
    assert 0 < engine["token_fill"] <= 1
    assert engine["recomputed_packs"] == engine["out_of_memory"] == 0
    assert engine["shards_by_attention"] == {"dnabert-s": {"sdpa": shards}, "esm2": {"sdpa": shards}}


def test_what_happens_to_vectors_once_they_are_scored_does_not_show_in_the_report(
    small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet, job = make_job(small, SAMPLE), make_job(small, SAMPLE)
    write_results = finish.write_results

    def damaging(*arguments: Any, **options: Any) -> ResultCounts:
        counts = write_results(*arguments, **options)
        for file in job.paths.embeddings.iterdir():
            file.write_bytes(file.read_bytes()[:9])
        return counts

    run_job(quiet, small)
    monkeypatch.setattr(finish, "write_results", damaging)
    run_job(job, small)
    assert report_of(job) == report_of(quiet)


def report_of(job: Job) -> dict[str, Any]:
    report = json.loads(job.paths.run.read_bytes())
    del report["times"]
    return report


def test_a_second_finish_changes_nothing(small: Settings) -> None:
    job = make_job(small, SAMPLE)
    run_job(job, small)
    before = results_of(job)
    assert finish_files(job) == []
    job.paths.run.unlink()
    assert finish_files(job) == []
    assert results_of(job) == before
    assert job.paths.run.read_bytes() == (job.paths.results / "run.json").read_bytes()


def test_two_finishes_at_once_leave_one_complete_folder(small: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(small, SAMPLE, keep_embeddings=True)
    write = finish._write

    def interrupted(*arguments: object, **options: object) -> None:
        monkeypatch.setattr(finish, "_write", write)
        assert finish_files(job) == []  # another process, from start to end
        write(*arguments, **options)  # type: ignore[arg-type]

    for shard in split_files(job):
        embed(job, shard, small)
    monkeypatch.setattr(finish, "_write", interrupted)
    assert finish_files(job) == []
    assert not job.paths.failed.exists()
    assert [entry.name for entry in job.paths.root.iterdir() if entry.name.startswith(".")] == []


def test_embeddings_go_with_the_end_unless_they_are_kept(small: Settings) -> None:
    for keep in (False, True):
        job = make_job(small, SAMPLE, keep_embeddings=keep)
        run_job(job, small)
        assert any(job.paths.embeddings.iterdir()) == keep


def test_kept_embeddings_are_on_the_disk_before_the_commit_mark(
    small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(small, SAMPLE, keep_embeddings=True)
    for shard in split_files(job):
        embed(job, shard, small)
    synced: list[Path] = []

    def noting(path: Path) -> None:
        assert not job.paths.run.exists()
        synced.append(path)

    monkeypatch.setattr(finish, "sync", noting)
    assert finish_files(job) == [] and job.paths.run.exists()
    assert set(synced) >= {job.paths.embedding(shard) for shard in read_plan(job.paths.plan).to_embed}


def test_quarantined_records_are_listed_and_the_rest_is_scored(alone: Settings) -> None:
    job = make_job(alone, SAMPLE)
    shards = list(split_files(job))
    # Its worker was lost nine times.
    job.paths.attempts(shards[0]).write_text("{}\n" * 9)
    for shard in shards:
        embed(job, shard, alone)
    assert finish_files(job) == []
    report = json.loads(job.paths.run.read_bytes())
    assert report["exit_code"] == ExitCode.INCOMPLETE
    chunks = read_table(job.paths.results / "chunks.tsv")
    lost = [row for row in chunks if row["status"] == "quarantined"]
    assert len(lost) == report["counts"]["chunks"]["quarantined"] > 0
    assert {row["reason"] for row in lost} == {"9 attempts: its worker died each time"}
    assert any(row["status"] == "scored" for row in chunks)


def test_vectors_that_are_missing_stay_quarantined_when_the_reason_is_lost(alone: Settings) -> None:
    job = make_job(alone, SAMPLE)
    shards = list(split_files(job))
    job.paths.attempts(shards[0]).write_text("{}\n" * 9)
    for shard in shards:
        embed(job, shard, alone)
    job.paths.quarantined(shards[0]).write_text("{")
    job.paths.attempts(shards[0]).unlink()
    assert finish_files(job) == []
    chunks = read_table(job.paths.results / "chunks.tsv")
    assert {row["reason"] for row in chunks if row["status"] == "quarantined"} == {"its reason is lost"}


@pytest.mark.parametrize("how", ["removed", "cut off", "another reason", "another record"])
def test_reasons_that_were_damaged_are_made_again_from_the_attempts(alone: Settings, how: str) -> None:
    job = make_job(alone, SAMPLE)
    shards = list(split_files(job))
    job.paths.attempts(shards[0]).write_text("{}\n" * 9)
    for shard in shards:
        embed(job, shard, alone)
    file = job.paths.quarantined(shards[0])
    whole = file.read_bytes()
    harmed = {
        "cut off": whole[: len(whole) // 2],
        "another reason": whole.replace(b"9 attempts", b"8 attempts"),
        "another record": whole.replace(b'"record_ordinal": 0', b'"record_ordinal": 1'),
    }
    file.unlink() if how == "removed" else file.write_bytes(harmed[how])
    assert how == "removed" or file.read_bytes() != whole
    assert finish_files(job) == []
    chunks = read_table(job.paths.results / "chunks.tsv")
    assert {row["reason"] for row in chunks if row["status"] == "quarantined"} == {
        "9 attempts: its worker died each time"
    }
    assert file.read_bytes() == whole


def test_quarantined_records_get_their_attempts_back_on_request(alone: Settings) -> None:
    job = make_job(alone, SAMPLE)
    shards = list(split_files(job))
    job.paths.attempts(shards[0]).write_text("{}\n" * 9)
    for shard in shards:
        embed(job, shard, alone)
    reopen_job(job, retry_quarantined=True)
    assert finish_files(job) == shards[:1]
    assert embed(job, shards[0], alone) == "embedded"
    assert finish_files(job) == []
    assert json.loads(job.paths.run.read_bytes())["exit_code"] == ExitCode.OK


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def test_a_head_or_description_that_was_changed_ends_the_job_with_its_path(small: Settings) -> None:
    for harm, name in ((flipped, "head/model.safetensors"), (renamed, "bundle.json")):
        job = make_job(small, SAMPLE)
        for shard in split_files(job):
            embed(job, shard, small)
        harm(job.paths.bundle / name)
        assert finish_files(job) == []
        assert str(job.paths.bundle) in json.loads(job.paths.failed.read_bytes())["message"]
        assert not job.paths.results.exists()


def renamed(file: Path) -> None:
    file.write_text(file.read_text().replace('"name": "', '"name": "x'))


def test_an_error_in_finishing_is_recorded_and_leaves_nothing_half_written(
    small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(small, SAMPLE)
    for shard in split_files(job):
        embed(job, shard, small)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no idea")

    # A store that fails says nothing against the job
    monkeypatch.setattr(finish, "write_results", full)
    with pytest.raises(StoreError, match="No space left on device"):
        finish_files(job)
    assert not job.paths.failed.exists()
    # Anything else does
    monkeypatch.setattr(finish, "write_results", broken)
    assert finish_files(job) == []
    assert "no idea" in json.loads(job.paths.failed.read_bytes())["message"]
    assert not job.paths.results.exists()
    assert not job.paths.run.exists()
    assert [entry.name for entry in job.paths.root.iterdir() if entry.name.startswith(".")] == []


def test_files_that_are_damaged_after_they_were_repaired_make_it_begin_anew(small: Settings) -> None:
    job = make_job(small, SAMPLE)
    for shard in split_files(job):
        embed(job, shard, small)
    assert repair(job, processes=1) == []
    job.paths.scores(1).unlink()
    with pytest.raises(StageRetryError, match=r"scores/000001\.safetensors is missing or damaged"):
        finish.finish(job, processes=1)
    assert not job.paths.failed.exists() and not job.paths.results.exists()
    assert finish_files(job) == [] and job.paths.run.exists()


def test_the_demonstration_is_named_in_every_output(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, SAMPLE)
    run_job(job, settings)
    files = results_of(job) | {"run.json": job.paths.run.read_bytes()}
    silent = {name for name, content in files.items() if b"demonstration" not in content.lower()}
    # Their columns are fixed; DEMONSTRATION.txt beside them speaks of all, and names those that other tools write, too.
    legacy = {"prediction_results.txt", "prediction_results_highestscore.csv"}
    regions = {"virus_regions.bed", "virus_regions.gff3", "chunk_scores.bedgraph"}
    assert silent == legacy | regions | {"virus.fasta.gz", "contigs.tsv", "virus_summary.tsv"}
    assert all(name.encode() in files["DEMONSTRATION.txt"] for name in legacy)


def test_a_job_that_is_removed_while_it_is_finished_leaves_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(settings, SAMPLE)
    for shard in split_files(job):
        embed(job, shard, settings)
    write_results = finish.write_results

    def removed(*arguments: Any, **options: Any) -> Any:
        remove_job(job, force=True)
        return write_results(*arguments, **options)

    monkeypatch.setattr(finish, "write_results", removed)
    finish_files(job)
    assert list(job.paths.root.parent.iterdir()) == []


@pytest.mark.parametrize("lost", ["run.json", "chunks.tsv", "records.tsv"])
def test_a_folder_of_results_that_was_not_made_at_once_is_made_again(small: Settings, lost: str) -> None:
    quiet, job = make_job(small, SAMPLE, keep_embeddings=True), make_job(small, SAMPLE, keep_embeddings=True)
    run_job(quiet, small)
    run_job(job, small)
    job.paths.run.unlink()
    (job.paths.results / lost).unlink()
    assert finish_files(job) == []
    assert {file.name for file in job.paths.results.iterdir()} == {file.name for file in quiet.paths.results.iterdir()}
    assert (job.paths.results / "chunks.tsv").read_bytes() == (quiet.paths.results / "chunks.tsv").read_bytes()
