"""Commands on a store of the test's own, with a Redis that does not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from cli.commands import run
from job import SAMPLE, make_job, run_job

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.settings import Settings

UNREACHABLE = "redis://127.0.0.1:1/0"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code, and the lines of standard output and standard error."""

    code: ExitCode
    out: list[str]
    err: list[str]


Virnucpro = Callable[..., Ended]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A finished job that kept its vectors, in a store of its own; not to be changed."""
    settings = Settings(store=tmp_path_factory.mktemp("finished"), bundle="demo")
    job = make_job(settings, SAMPLE, keep_embeddings=True)
    run_job(job, settings)
    return job


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, broker_url=UNREACHABLE)


@pytest.fixture
def virnucpro(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Virnucpro:
    """`virnucpro` with arguments, as a shell calls it; the environment names the store, the bundle and Redis."""
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)

    def call(*arguments: object) -> Ended:
        capsys.readouterr()
        code = ExitCode(run(monkeypatch, *map(str, arguments)))
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return Ended(code, shown.out.splitlines(), shown.err.splitlines())

    return call
