from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from virnucpro_tasks.errors import ExitCode, JobError, SettingsError, StoreError
from virnucpro_tasks.jobs.find import LAST, SURE_CHARACTERS, find_job, shortest_beginnings
from virnucpro_tasks.jobs.job import JobParameters, JobSpec
from virnucpro_tasks.jobs.job_names import claim_name
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.system.files import write_checked

FIRST = "20260101t000000z-aaaaaaaaaaaaaaaa"
SAME_SECOND = "20260101t000000z-aabbbbbbbbbbbbbb"
LATER = "20260102t030405z-cccccccccccccccc"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with three jobs: the first and the last are anna's."""
    for job_id, owner in ((FIRST, "anna"), (SAME_SECOND, "bob"), (LATER, "anna")):
        add(tmp_path, job_id, owner)
    return tmp_path


def add(store: Path, job_id: str, owner: str) -> Path:
    """A job without inputs; returns its job.json."""
    parameters = JobParameters(500, 60, "fp32", "original", False, False, 6, 1000, 3)
    paths = JobPaths.of(store, job_id)
    paths.root.mkdir(parents=True)
    paths.make_folders()
    write_checked(paths.job, JobSpec(job_id, "2026-01-01T00:00:00+00:00", (), parameters, "0" * 64, "1", owner))
    return paths.job


def found(store: Path, wanted: str, *, is_final: bool = False) -> str:
    return find_job(store, wanted, owner="anna", is_final=is_final)


@pytest.mark.parametrize("is_final", [False, True])
def test_an_id_is_taken_as_it_is(store: Path, is_final: bool) -> None:
    assert found(store, FIRST, is_final=is_final) == FIRST
    absent = FIRST.replace("a", "d")
    assert found(store, absent, is_final=is_final) == absent  # whoever opens it says that it is not there


@pytest.mark.parametrize("wanted", ["20260102", "20260102t03", "20260102t030405z", "20260102t030405z-", LATER[:-1]])
def test_a_beginning_that_one_job_has_is_enough(store: Path, wanted: str) -> None:
    assert found(store, wanted) == LATER


@pytest.mark.parametrize("wanted", ["2", "20260101", "20260101t000000z-aa"])
@pytest.mark.parametrize("is_final", [False, True])
def test_a_beginning_that_several_have_is_wrong_use_and_they_are_named(
    store: Path, wanted: str, is_final: bool
) -> None:
    with pytest.raises(SettingsError, match=f"{FIRST}, {SAME_SECOND}") as refused:
        found(store, wanted, is_final=is_final)
    assert refused.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("length", [4, 8, 16, SURE_CHARACTERS - 1])
def test_a_short_beginning_is_not_enough_for_what_cannot_be_taken_back(store: Path, length: int) -> None:
    beginning = LATER[:length] if length > 4 else "20260102"
    with pytest.raises(SettingsError, match=f"too short here.*{LATER}"):
        found(store, beginning, is_final=True)
    assert found(store, LATER[:SURE_CHARACTERS], is_final=True) == LATER


@pytest.mark.parametrize("wanted", ["20250101", "20260101t000000z-b", "0"])
def test_a_beginning_that_no_job_has(store: Path, wanted: str) -> None:
    with pytest.raises(JobError, match="no id in the store") as refused:
        found(store, wanted)
    assert refused.value.exit_code == ExitCode.JOB_FAILED


@pytest.mark.parametrize("wanted", ["", "../../etc", "a/b", "*", "2026*", "-", "20260101T", "mine", "\x1b[2J", "é"])
def test_what_is_neither_id_nor_name_is_no_job(store: Path, wanted: str) -> None:
    with pytest.raises(JobError, match="not a job id") as refused:
        found(store, wanted)
    assert str(refused.value).isprintable()


def test_last_is_the_newest_job_of_the_caller(store: Path) -> None:
    assert found(store, LAST) == LATER
    add(store, "20260301t000000z-dddddddddddddddd", "bob")
    assert found(store, LAST) == LATER
    assert find_job(store, LAST, owner="bob") == "20260301t000000z-dddddddddddddddd"
    with pytest.raises(JobError, match="carla has no job"):
        find_job(store, LAST, owner="carla")


def test_of_jobs_of_one_second_last_is_the_one_that_was_written_last(store: Path) -> None:
    for tail, age in (("z", 5), ("b", 1), ("m", 9)):
        file = add(store, "20260401t000000z-" + tail * 16, "anna")
        os.utime(file, (1_000_000 - age, 1_000_000 - age))
    assert found(store, LAST) == "20260401t000000z-" + "b" * 16


def test_a_damaged_job_is_not_the_last_one(store: Path) -> None:
    add(store, "20260301t000000z-dddddddddddddddd", "anna").write_text("{")
    assert found(store, LAST) == LATER


def test_last_cannot_be_cancelled_or_removed(store: Path) -> None:
    with pytest.raises(SettingsError, match=f"not sure enough here.*{LATER}"):
        found(store, LAST, is_final=True)
    with pytest.raises(SettingsError, match="@first is no job"):
        found(store, "@first")


@pytest.mark.parametrize("is_final", [False, True])
def test_a_name_means_its_job(store: Path, is_final: bool) -> None:
    claim_name(store, "run-7", FIRST)
    assert found(store, "run-7", is_final=is_final) == FIRST
    with pytest.raises(JobError, match=f"no job has this name.*job {FIRST} is called run-7"):
        found(store, "Run-7", is_final=is_final)


def test_a_store_that_is_not_there_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    for wanted in (FIRST, "2026", LAST, "mine"):
        with pytest.raises(StoreError, match="there is no store") as refused:
            found(tmp_path / "store", wanted)
        assert refused.value.exit_code == ExitCode.JOB_FAILED
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="is not a folder"):
        found(tmp_path / "file", FIRST)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_shown_beginning_of_an_id_is_enough_for_everything(store: Path) -> None:
    ids = sorted([FIRST, SAME_SECOND, LATER])
    short = shortest_beginnings(ids)
    assert short == {FIRST: FIRST[:20], SAME_SECOND: SAME_SECOND[:20], LATER: LATER[:SURE_CHARACTERS]}
    for job_id in ids:
        assert found(store, short[job_id], is_final=True) == job_id


def test_a_job_json_of_another_version_is_not_needed_to_find_a_job(store: Path) -> None:
    file = JobPaths.of(store, LATER).job
    file.write_bytes(msgspec.json.encode({"later": "version"}))
    assert found(store, "20260102") == LATER
