"""A look at a deployment as lines of text: what needs a person, the jobs that are not over, the workers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.cells import cell_len, set_cell_size

from virnucpro_tasks.cli.columns import Column, aligned
from virnucpro_tasks.cli.progress import MOST_UNFINISHED
from virnucpro_tasks.errors import clock_text, counted, printable, size_text
from virnucpro_tasks.jobs.progress import JobState, share_done
from virnucpro_tasks.monitoring.concerns import concerns
from virnucpro_tasks.monitoring.look import Look, OpenJob, SeenWorker
from virnucpro_tasks.monitoring.turns import Turn, turns

LEAST_ROWS = 3
"""Rows of each table that are shown however low the screen is."""

OTHER_LINES = 6
"""Lines beside the head and the rows: of each table an empty one, its headings, and how many rows more there are."""


def screen(look: Look, *, width: int, height: int | None) -> list[str]:
    """The lines, each at most `width` cells wide, at most `height` of them: tables that are cut for that say so."""
    short = [*_summary(look), *(f"! {line}" for line in concerns(look))]
    # What to do is at the end of a line.
    head = [part for line in short for part in _wrapped(line, width)]
    if height is not None:
        # What needs a person comes first, but leaves room for the tables.
        most = max(LEAST_ROWS + 2, height - 2 * LEAST_ROWS - OTHER_LINES)
        head = head if len(head) <= most else _first(short, most, "concern")
    jobs, workers = look.open_jobs, look.workers_by_need()
    rows = _rows(len(jobs), len(workers), None if height is None else height - len(head) - OTHER_LINES)
    lines = [
        *head,
        "",
        *_table(_job_columns(jobs[: rows[0]], turns(jobs)), len(jobs), rows[0], "open job", width),
        "",
        *(
            ["workers cannot be asked"]
            if look.redis_error
            else _table(_worker_columns(workers[: rows[1]], look), len(workers), rows[1], "worker", width)
        ),
    ]
    return [_cut(line, width) for line in lines]


def _summary(look: Look) -> Iterator[str]:
    states = [f"{number:,} {state}" for state, number in look.jobs.items() if number]
    yield f"{datetime.fromtimestamp(look.at):%H:%M:%S}  jobs: {', '.join(states) or 'none'}"
    parts = []
    if look.store is not None:
        parts.append(f"store: {size_text(look.store.free_bytes)} free")
    if look.redis is not None:
        limit = "" if look.redis.limit_bytes is None else f" of {size_text(look.redis.limit_bytes)}"
        parts.append(f"Redis: {size_text(look.redis.used_bytes)}{limit}")
    answering = [worker for worker in look.workers if worker.info is not None]
    busy = sum(bool(worker.info and worker.info.running) for worker in answering)
    if not look.redis_error:
        parts.append(f"{counted(len(answering), 'worker')}, {busy} busy")
    yield f"{'':10}{'  '.join(parts)}"


def _rows(jobs: int, workers: int, room: int | None) -> tuple[int, int]:
    """How many rows of both tables are shown in `room` lines, headings and last lines not counted."""
    if room is None or jobs + workers <= room:
        return jobs, workers
    half = max(LEAST_ROWS, room // 2)
    if jobs <= half:
        return jobs, min(workers, max(LEAST_ROWS, room - jobs))
    if workers <= half:
        return min(jobs, max(LEAST_ROWS, room - workers)), workers
    return half, half


def _wrapped(line: str, width: int) -> list[str]:
    """A line that needs a person over as many as it takes, others as they are."""
    if not line.startswith("! "):
        return [line]
    return textwrap.wrap(line, width, subsequent_indent="  ", break_on_hyphens=False)


def _first(lines: list[str], most: int, noun: str) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"! and {counted(len(lines) - most + 1, noun)} more"]


def _table(columns: Sequence[Column], rows: int, shown: int, noun: str, width: int) -> Iterator[str]:
    if not rows:
        yield f"no {noun}"
        return
    yield from aligned(columns, width=width)
    if rows > shown:
        yield f"and {counted(rows - shown, noun)} more"


def _job_columns(jobs: Sequence[OpenJob], turn: Mapping[str, Turn]) -> list[Column]:
    return [
        Column("JOB", [printable(job.called) for job in jobs], least=18),
        Column("STATE", [_state(job) for job in jobs], least=9, rank=1),
        Column("LEFT", [_left(job) for job in jobs], least=5, rank=2, is_number=True),
        Column("NOW", [_now(job) for job in jobs], least=22, rank=3),
        Column("OWNER", [printable(job.identity.owner) for job in jobs], least=6, rank=4),
        Column("TURN", [str(turn.get(job.job_id, "-")) for job in jobs], least=7, rank=5),
        Column("SHARDS", [_shards(job) for job in jobs], least=6, rank=6, is_number=True),
        Column("AGE", [clock_text(job.age_seconds) for job in jobs], least=5, rank=7, is_number=True),
        Column("PRIO", [str(job.priority) for job in jobs], least=4, rank=8, is_number=True),
    ]


def _state(job: OpenJob) -> str:
    share = share_done(job.progress)
    if job.progress.state is not JobState.EMBEDDING or share is None:
        return str(job.progress.state)
    return f"{min(share, MOST_UNFINISHED):.0%} done"


def _left(job: OpenJob) -> str:
    return clock_text(job.rate.seconds_left) if job.rate else "-"


def _shards(job: OpenJob) -> str:
    total = job.progress.shards_total
    return f"{job.progress.shards_done}/{'?' if total is None else total}"


def _now(job: OpenJob) -> str:
    """Say who is at the job, or why nobody is."""
    if job.wait is not None:
        since = job.wait.seconds if job.wait.seconds is not None else job.idle_seconds
        return f"{job.wait.reason} {clock_text(since)}"
    if len(job.running) > 1:
        return f"{job.shards_running} shards on {len({worker for worker, _ in job.running})} workers"
    for worker, task in job.running:
        return printable(f"{task.stage if task.shard is None else f'shard {task.shard}'} on {worker}")
    return f"idle {clock_text(job.idle_seconds)}"


def _worker_columns(workers: Sequence[SeenWorker], look: Look) -> list[Column]:
    return [
        Column("WORKER", [printable(worker.name) for worker in workers], least=20),
        Column("AT", [look.at_text(worker) for worker in workers], least=26, rank=1),
        Column("FOR", [_clock(worker.task_seconds) for worker in workers], least=5, rank=2, is_number=True),
        Column("QUIET", [_clock(worker.quiet_seconds) for worker in workers], least=5, rank=3, is_number=True),
        Column("TOKENS/S", [_speed(worker) for worker in workers], least=8, rank=4, is_number=True),
        Column("DEVICE", [_device(worker) for worker in workers], least=6, rank=5),
        Column(
            "SHARDS", [f"{sum(worker.counts.shards.values()):,}" for worker in workers], least=6, rank=6, is_number=True
        ),
        Column("VERSION", [worker.facts.version or "-" for worker in workers], least=7, rank=7),
    ]


def _device(worker: SeenWorker) -> str:
    return (
        "-" if worker.is_coordinator or worker.info is None else (worker.facts.device or "cpu").removeprefix("NVIDIA ")
    )


def _clock(seconds: float) -> str:
    return clock_text(seconds) if seconds else "-"


def _speed(worker: SeenWorker) -> str:
    rate = worker.tokens_per_second
    return "-" if rate is None else f"{rate:,.0f}"


def _cut(line: str, width: int) -> str:
    return line if cell_len(line) <= width else set_cell_size(line, max(0, width - 1)) + "…"
