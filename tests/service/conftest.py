"""Deployments: one of a test's own, and one that is up and shared by whoever only needs some workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from job import make_job, run_job
from service.deployment import SAMPLE, Deployment, comparable

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.cli import one_shot, predict
from virnucpro_tasks.cli.main import main
from virnucpro_tasks.cli.results import copy_results
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import Progress, job_progress
from virnucpro_tasks.settings import Settings


@pytest.fixture
def deployment(request: pytest.FixtureRequest, broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Deployment]:
    """A store of the test's own and no workers yet, with the SETTINGS of its module, which may still be changed."""
    with Deployment(tmp_path, broker.url, settings=settings_of(request)) as started:
        yield started


@pytest.fixture
def broker(server: Path, tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A Redis of the test's own, to be emptied, killed or cut off, which no worker of another test is left at."""
    with EmbeddedBroker(tmp_path / "redis", server=server) as started:
        yield started


@pytest.fixture(scope="module")
def quiet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the sample gives with the FLAGS of the module, computed in this process without a queue."""
    flags = [flag for flag in getattr(request.module, "FLAGS", ()) if flag != "--allow-mismatch"]
    given = {flag: int(value) for flag, value in zip(flags[::2], flags[1::2], strict=True)}
    folder = tmp_path_factory.mktemp("quiet")
    settings = Settings(store=folder / "store", bundle="demo")
    settings = replace(settings, shard_tokens=given.pop("--shard-tokens", settings.shard_tokens))
    job = make_job(settings, SAMPLE, chunk_length=given.pop("--expected-length", None))
    assert not given
    run_job(job, settings)
    copy_results(job, folder / "out", force=False)
    return comparable(folder / "out")


def settings_of(request: pytest.FixtureRequest) -> dict[str, str]:
    return dict(getattr(request.module, "SETTINGS", {}))


@pytest.fixture(scope="session")
def serving(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One CPU worker and the coordinators, at work all the time: their start takes longer than most jobs of tests."""
    with EmbeddedBroker(server=server) as broker, Deployment(tmp_path_factory.mktemp("serving"), broker.url) as started:
        started.start_workers("cpu", small_lane=True)
        yield started


@pytest.fixture
def jobs_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """One-shot commands run their jobs in this process, without Redis and workers."""

    def run(settings: Settings, job: Job, **_: Any) -> Progress:
        run_job(job, settings)
        return job_progress(job)

    for module in (one_shot, predict):
        monkeypatch.setattr(module, "run_here", run)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """`virnucpro ...` in this process: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["virnucpro", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run
