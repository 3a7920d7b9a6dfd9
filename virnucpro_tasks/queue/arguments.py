"""Checks the arguments of a message: any program that can write to Redis can put anything on a queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virnucpro_tasks.errors import JobError, VirnucproError, counted
from virnucpro_tasks.paths import checked_job_id

LARGEST_SHARD = 999_999
"""Six digits name a shard's files."""

SHARD_TASK = "virnucpro.embed_shard"


class ArgumentsError(VirnucproError):
    """A message asks for a task with arguments that no part of this package sends."""


def check_arguments(task: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Raise ArgumentsError unless `arguments` are a job id and, for a shard's task, its number; nothing by name."""
    expected = 2 if task == SHARD_TASK else 1
    if options or len(arguments) != expected:
        raise ArgumentsError(
            f"{task} takes {counted(expected, 'argument')} in order, not {len(arguments)} and {len(options)} named"
        )
    try:
        checked_job_id(arguments[0])
    except JobError as error:
        raise ArgumentsError(f"{task}: {error}") from None
    # A bool is an int to isinstance.
    if expected == 2 and not (type(arguments[1]) is int and 0 <= arguments[1] <= LARGEST_SHARD):
        raise ArgumentsError(f"{task}: {ascii(arguments[1])[:80]} is not the number of a shard")


@dataclass(frozen=True, slots=True)
class Subject:
    """The job of a task, and its shard if it has one."""

    job: str
    shard: int | None = None

    def __str__(self) -> str:
        return f"job={self.job}" if self.shard is None else f"job={self.job} shard={self.shard}"


def subject_of(arguments: Any) -> Subject | None:
    """Return the subject of a task of ours with these arguments; None for any other."""
    if not isinstance(arguments, list | tuple) or len(arguments) not in (1, 2):
        return None
    try:
        check_arguments(SHARD_TASK if len(arguments) == 2 else "", arguments, {})
    except ArgumentsError:
        return None
    return Subject(*arguments)
