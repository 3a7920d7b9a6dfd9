"""Tasks of a job that workers are at, in words."""

from __future__ import annotations

from collections.abc import Sequence

from virnucpro_tasks.errors import clock_text, counted, printable
from virnucpro_tasks.queue.client import RunningTask, WorkerInfo
from virnucpro_tasks.queue.waiting import QUIET_SECONDS


def running_lines(job_id: str, found: Sequence[WorkerInfo]) -> list[str]:
    """A line for each task of a job that one of the workers `found` is at: what, where, for how long."""
    return [_line(worker, task) for worker, task in _tasks(job_id, found)]


def running_summary(job_id: str, found: Sequence[WorkerInfo]) -> str:
    """One line about all of them, with the one that has made no progress, or else has run, for longest; or ""."""
    tasks = _tasks(job_id, found)
    if not tasks:
        return ""
    longest = max(tasks, key=lambda at: (_quiet_seconds(at[1]), at[1].seconds or 0.0))
    rest = f" ({counted(len(tasks), 'task')} under way)" if len(tasks) > 1 else ""
    return _line(*longest) + rest


def _tasks(job_id: str, found: Sequence[WorkerInfo]) -> list[tuple[WorkerInfo, RunningTask]]:
    return [(worker, task) for worker in found for task in worker.at(job_id)]


def _quiet_seconds(task: RunningTask) -> float:
    """The time without progress of a task; 0 if that is nothing unusual."""
    quiet_seconds = task.quiet_seconds or 0.0
    return quiet_seconds if quiet_seconds >= QUIET_SECONDS else 0.0


def _line(worker: WorkerInfo, task: RunningTask) -> str:
    what = task.stage if task.shard is None else f"shard {task.shard}"
    age = "" if task.seconds is None else f" for {clock_text(task.seconds)}"
    quiet = f", no progress for {clock_text(quiet_seconds)}" if (quiet_seconds := _quiet_seconds(task)) else ""
    return printable(f"{what} on {worker.name}{age}{quiet}")
