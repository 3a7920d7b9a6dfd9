"""Timeline of a job, for run.json: which worker embedded which shard, from when to when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from virnucpro_tasks.jobs.worker_records import ShardWork

MOST_ENTRIES = 1_000
"""Entries of a timeline, beyond which shards are put together, unless there are more workers."""

SECONDS_PER_MINUTE = 60


def shard_timeline(embedded: Mapping[int, ShardWork], tokens: Sequence[int]) -> list[dict[str, Any]]:
    """The shards in the order of their beginnings, each with worker, times (ISO 8601, UTC), seconds and ESM-2 tokens.

    If they are more than MOST_ENTRIES, the shards of a worker that ended within the same minute are one entry, without
    a number; within the same 2, 4, 8 … minutes if there are still too many. `tokens` are those of each shard of the
    job. Shards that began at an unknown time are left out.
    """
    works = [work for work in embedded.values() if work.entry.began_at is not None]
    groups = [[work] for work in works]
    minutes = 1
    while len(groups) > max(MOST_ENTRIES, len({work.worker for work in works})):
        groups = _grouped(works, minutes)
        minutes *= 2
    return sorted((_entry(group, tokens) for group in groups), key=lambda entry: (entry["started_at"], entry["worker"]))


def _grouped(works: Iterable[ShardWork], minutes: int) -> list[list[ShardWork]]:
    groups: dict[tuple[Any, int], list[ShardWork]] = {}
    for work in works:
        time = int(work.entry.at.timestamp()) // (minutes * SECONDS_PER_MINUTE)
        groups.setdefault((work.worker, time), []).append(work)
    return list(groups.values())


def _entry(works: Sequence[ShardWork], tokens: Sequence[int]) -> dict[str, Any]:
    entries = [work.entry for work in works]
    return {
        "worker": works[0].worker.worker,
        "shard": entries[0].shard if len(entries) == 1 else None,
        "shards": len(entries),
        "started_at": _text(min(entry.began_at for entry in entries if entry.began_at)),
        "ended_at": _text(max(entry.at for entry in entries)),
        "seconds": round(sum(entry.seconds for entry in entries), 3),
        "tokens": sum(tokens[entry.shard] for entry in entries),
    }


def _text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")
