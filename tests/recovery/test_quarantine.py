from __future__ import annotations

from dataclasses import replace

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.recovery.events import RecordsAtFault, append_event
from virnucpro_tasks.recovery.quarantine import quarantine_reasons, read_quarantine, write_quarantine
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.tables import read_table

REASONS = {0: "2 attempts: MemoryError", 1: "NaN"}


@pytest.fixture
def paths(settings: Settings) -> JobPaths:
    """A job whose only shard holds several records, the first two of which are at fault."""
    job: Job = make_job(replace(settings, shard_tokens=100_000), SAMPLE)
    assert list(split_files(job)) == [0]
    for ordinal, reason in REASONS.items():
        append_event(job.paths.attempts(0), RecordsAtFault(probe="whole", reason=reason, culprits=(ordinal,)))
    return job.paths


def reasons_of(paths: JobPaths) -> dict[int, str]:
    ordinals = list(dict.fromkeys(read_table(paths.frames(0))["record_ordinal"].to_pylist()))
    return quarantine_reasons(paths, 0, ordinals, max_attempts=3)


def test_reasons_are_read_as_they_were_written(paths: JobPaths) -> None:
    write_quarantine(paths, 0, REASONS)
    assert read_quarantine(paths, 0) == reasons_of(paths) == REASONS


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"records": [], "attempts": 3}'])
def test_a_missing_or_damaged_file_is_written_again_from_the_attempts(paths: JobPaths, content: bytes | None) -> None:
    if content is not None:
        paths.quarantined(0).write_bytes(content)
    with pytest.raises(DamagedError):
        read_quarantine(paths, 0)
    assert reasons_of(paths) == REASONS
    assert read_quarantine(paths, 0) == REASONS


def test_without_attempts_the_reasons_are_lost(paths: JobPaths) -> None:
    paths.attempts(0).unlink()
    assert reasons_of(paths) == {}
    assert not paths.quarantined(0).exists()
