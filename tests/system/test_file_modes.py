"""What a job, its results and a bundle leave on disk has the mode that the umask asks for, and nothing more."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from job import SAMPLE, embed, finish_files, make_job
from virnucpro_workers import __main__ as supervisor

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.cli.main import cli
from virnucpro_tasks.cli.results import copy_results
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.deduplicate import deduplicate
from virnucpro_tasks.jobs.job import cancel_job, fail_job
from virnucpro_tasks.models.folder import new_folder
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.recovery.events import Began, Failed, append_event
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.files import atomic_path

UMASKS = (0o022, 0o002, 0o077)
KINDS = {
    *("job.json", "plan.json", "run.json", "failed.json", "cancelled", "0000", "bundle.json", "model.safetensors"),
    *("000000.frames.parquet", "000000.chunks.parquet", "000000.jsonl", "000000.json", "000001.safetensors"),
    *("records.tsv", "chunks.tsv", "prediction_results.txt", "virnucpro.log"),
}
"""Files of which each must be among those that were looked at."""


@pytest.fixture(params=UMASKS, ids="{:03o}".format)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(place: Path) -> int:
    return stat.S_IMODE(place.lstat().st_mode)


def wrong(folder: Path, umask: int) -> dict[str, str]:
    """What below `folder` has another mode than 0777 (folders) or 0666 (files) less the umask."""
    return {
        str(place.relative_to(folder.parent)): f"{mode(place):04o}"
        for place in (folder, *folder.rglob("*"))
        if mode(place) != (0o777 if place.is_dir() else 0o666) & ~umask
    }


def test_all_files_of_jobs_and_results_respect_the_umask(settings: Settings, tmp_path: Path, umask: int) -> None:
    # Given a job with a quarantined record, kept vectors and copied results
    settings = replace(settings, shard_tokens=500, max_attempts=1)
    reads = tmp_path / "reads.fasta"
    reads.write_bytes(SAMPLE.read_bytes())
    job = make_job(settings, reads, keep_embeddings=True)
    deduplicate(settings.store, job)
    shards = list(split_files(job))
    append_event(job.paths.attempts(0), Began(probe="whole"))
    append_event(job.paths.attempts(0), Failed(probe="whole", reason="its worker died"))
    assert embed(job, shards[0], settings) == "quarantined"
    for shard in shards[1:]:
        embed(job, shard, settings)
    finish_files(job)
    copy_results(job, tmp_path / "out", force=False)
    # And two that were stopped
    stopped = [make_job(settings, reads) for _ in range(2)]
    fail_job(stopped[0], "why", exit_code=ExitCode.BAD_INPUT)
    cancel_job(stopped[1])
    # Then there is a file of each kind, and none has another mode than asked for
    assert {file.name for file in settings.store.rglob("*")} >= KINDS
    assert wrong(settings.store, umask) == {}
    assert wrong(tmp_path / "out", umask) == {}


def test_a_bundle_respects_the_umask(tmp_path: Path, umask: int) -> None:
    result = CliRunner().invoke(cli, ["models", "demo", str(tmp_path / "bundle")], catch_exceptions=False)
    assert result.exit_code == ExitCode.OK
    assert wrong(tmp_path / "bundle", umask) == {}


def test_files_of_another_bundle_that_are_linked_keep_their_mode(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"weights")
    theirs.chmod(0o440)
    with new_folder(tmp_path / "bundle") as folder:
        (folder / "linked").hardlink_to(theirs)
    assert mode(theirs) == 0o440


def test_a_library_that_makes_private_files_is_overruled(tmp_path: Path, umask: int) -> None:
    with atomic_path(tmp_path / "file") as temporary:
        other = tmp_path / "other"
        other.write_bytes(b"content")
        other.chmod(0o600)
        other.rename(temporary)
    assert mode(tmp_path / "file") == 0o666 & ~umask


@pytest.mark.service
def test_what_the_private_redis_keeps_is_for_its_user_alone(server: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with EmbeddedBroker(tmp_path / "data", server=server) as broker:
            kept = [place for place in (tmp_path / "data").rglob("*") if place.is_file()]
            assert kept
            private = (broker.socket.parent, broker.socket, tmp_path / "data", *kept)
            assert [place for place in private if mode(place) & 0o077] == []
    finally:
        os.umask(before)


@pytest.mark.parametrize("named", [True, False])
def test_the_run_folder_of_workers_is_for_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(supervisor, "supervise", lambda _, __, run_dir: seen.append(mode(run_dir)) or 0)
    monkeypatch.setenv("VIRNUCPRO_SOFT_SHUTDOWN_SECONDS", "30")
    before = os.umask(0)
    try:
        assert supervisor.main(["--run-dir", str(tmp_path / "run")] if named else []) == 0
    finally:
        os.umask(before)
    assert seen == [0o700]


def test_the_demonstration_is_shipped_without_executables() -> None:
    assert [file for file in demo_bundle().path.rglob("*") if file.is_file() and mode(file) & 0o111] == []
