from __future__ import annotations

from collections.abc import Callable

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import fail_job
from virnucpro_tasks.settings import Settings

UNREACHABLE = "redis://127.0.0.1:1/0"
Run = Callable[..., tuple[ExitCode, str]]


@pytest.fixture
def remove(settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    from virnucpro_tasks.cli.main import main

    def run(*arguments: str) -> tuple[ExitCode, str]:
        flags = ["--store", str(settings.store), "--broker-url", UNREACHABLE]
        monkeypatch.setattr("sys.argv", ["virnucpro", "remove", *arguments, *flags])
        with pytest.raises(SystemExit) as ended:
            main()
        return ExitCode(int(ended.value.code or 0)), capsys.readouterr().err

    return run


def test_a_finished_job_needs_no_redis(settings: Settings, remove: Run) -> None:
    job = make_job(settings, SAMPLE)
    fail_job(job, "why", exit_code=ExitCode.BAD_INPUT)
    assert remove(job.job_id) == (ExitCode.OK, f"job {job.job_id} is removed\n")
    assert not job.paths.root.exists()


def test_one_whose_description_is_damaged_can_be_removed(settings: Settings, remove: Run) -> None:
    job, tried = make_job(settings, SAMPLE), make_job(settings, SAMPLE)
    for each in (job, tried):
        each.paths.job.write_text("{")
    fail_job(tried, f"{tried.paths.job} is damaged", exit_code=ExitCode.JOB_FAILED)
    code, said = remove(job.job_id)
    assert code == ExitCode.JOB_FAILED and "still under way" in said and "--force" in said
    for each, flags in ((job, ["--force"]), (tried, [])):
        code, said = remove(each.job_id, *flags)
        assert code == ExitCode.OK and "was damaged, is removed" in said
        assert not each.paths.root.exists()


def test_one_that_is_not_there_is_told(settings: Settings, remove: Run) -> None:
    job = make_job(settings, SAMPLE)
    remove(job.job_id, "--force")
    code, said = remove(job.job_id)
    assert code == ExitCode.JOB_FAILED and "not in the store" in said
