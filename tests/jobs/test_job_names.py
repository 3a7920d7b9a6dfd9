from __future__ import annotations

from pathlib import Path

import pytest
from jobs.test_find import FIRST, LATER, add

from virnucpro_tasks.errors import ExitCode, SettingsError, StoreError
from virnucpro_tasks.jobs.job_names import checked_name, claim_name, free_names, is_name, job_named, names_of_jobs
from virnucpro_tasks.paths import JobPaths, name_file


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for job_id in (FIRST, LATER):
        add(tmp_path, job_id, "anna")
    return tmp_path


@pytest.mark.parametrize("name", ["a", "run-7", "Sea_water.2026", "z" * 64])
def test_names(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "7", "20260101", "@last", "-a", ".a", "_a", "a b", "a/b", "../a", "a\n", "é", "z" * 65, "a\x1b"]
)
def test_what_is_like_an_id_or_a_path_is_no_name(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(SettingsError, match="no name for a job") as refused:
        checked_name(name)
    assert refused.value.exit_code == ExitCode.USAGE and str(refused.value).isprintable()


def test_a_name_belongs_to_one_job(store: Path) -> None:
    claim_name(store, "mine", FIRST)
    claim_name(store, "mine", FIRST)
    assert job_named(store, "mine") == FIRST
    for name in ("mine", "MINE"):
        with pytest.raises(SettingsError, match=f"is taken: job {FIRST} is called mine"):
            claim_name(store, name, LATER)
    assert job_named(store, "mine") == FIRST and job_named(store, "MINE") is None


def test_a_job_may_have_several(store: Path) -> None:
    for name in ("b", "a"):
        claim_name(store, name, FIRST)
    assert names_of_jobs(store) == {FIRST: ["a", "b"]}
    free_names(store, FIRST)
    assert names_of_jobs(store) == {} and job_named(store, "a") is None


def test_the_name_of_a_job_that_is_gone_is_free(store: Path) -> None:
    claim_name(store, "mine", FIRST)
    JobPaths.of(store, FIRST).job.unlink()
    assert job_named(store, "mine") is None
    claim_name(store, "mine", LATER)
    assert job_named(store, "mine") == LATER


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff", f"{FIRST} ../x".encode()])
def test_a_damaged_file_names_no_job_and_is_written_anew(store: Path, content: bytes) -> None:
    claim_name(store, "mine", FIRST)
    name_file(store, "mine").write_bytes(content)
    assert job_named(store, "mine") is None and names_of_jobs(store) == {}
    claim_name(store, "mine", LATER)
    assert job_named(store, "mine") == LATER


def test_files_of_others_are_no_names(store: Path) -> None:
    claim_name(store, "mine", FIRST)
    for name in (".nfs0001", "x y", "mine (1)"):
        (store / "names" / name).write_text(f"{LATER} {name}\n")
    assert names_of_jobs(store) == {FIRST: ["mine"]}


def test_a_store_that_takes_no_names_is_an_error_of_the_store(store: Path) -> None:
    (store / "names").write_text("a file")
    with pytest.raises(StoreError):
        claim_name(store, "mine", FIRST)
    assert job_named(store, "mine") is None and names_of_jobs(store) == {}
