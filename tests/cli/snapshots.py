"""Snapshots of a job, for tests of its display."""

from __future__ import annotations

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.progress import JobState, Progress

TOKENS = 1_234_567
SHARDS = 31


def unsplit(state: JobState, *, shards_done: int = 0) -> Progress:
    """A job whose totals are not known yet."""
    return Progress("job", state, "", None, shards_done, 0, None, None, "", ExitCode.OK)


def split(state: JobState, *, shards_done: int, tokens_done: int, quarantined: int = 0, message: str = "") -> Progress:
    """A job of SHARDS shards and TOKENS tokens."""
    return Progress("job", state, "", SHARDS, shards_done, quarantined, TOKENS, tokens_done, message, ExitCode.OK)
