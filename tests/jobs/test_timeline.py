from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from virnucpro_tasks.jobs.timeline import MOST_ENTRIES, shard_timeline
from virnucpro_tasks.jobs.worker_records import EmbeddedShard, ShardWork, WorkerFacts

START = datetime(2026, 1, 1, tzinfo=UTC)
GPU = WorkerFacts("node1", "embed-gpu0@node1", "NVIDIA H200", "Xeon", "570.86", "12.8", "2.9.0")


def worker(number: int) -> WorkerFacts:
    return msgspec.structs.replace(GPU, worker=f"embed-gpu{number}@node1")


def work(shard: int, *, by: int = 0, begin_s: float, end_s: float) -> ShardWork:
    times = (START + timedelta(seconds=seconds) for seconds in (end_s, begin_s))
    return ShardWork(worker(by), EmbeddedShard(shard, *times))


def even_work(*, shards: int, workers: int, shard_s: float) -> dict[int, ShardWork]:
    """Shards of equal cost, which the workers take in turn."""
    return {
        shard: work(
            shard,
            by=shard % workers,
            begin_s=shard // workers * shard_s,
            end_s=(shard // workers + 1) * shard_s,
        )
        for shard in range(shards)
    }


def test_a_shard_is_an_entry_in_the_order_of_beginnings() -> None:
    embedded = {0: work(0, begin_s=5, end_s=7.25), 1: work(1, by=1, begin_s=1, end_s=6)}
    assert shard_timeline(embedded, [10, 20]) == [
        {
            "worker": "embed-gpu1@node1",
            "shard": 1,
            "shards": 1,
            "started_at": "2026-01-01T00:00:01.000+00:00",
            "ended_at": "2026-01-01T00:00:06.000+00:00",
            "seconds": 5.0,
            "tokens": 20,
        },
        {
            "worker": "embed-gpu0@node1",
            "shard": 0,
            "shards": 1,
            "started_at": "2026-01-01T00:00:05.000+00:00",
            "ended_at": "2026-01-01T00:00:07.250+00:00",
            "seconds": 2.25,
            "tokens": 10,
        },
    ]


def test_many_shards_are_put_together_by_worker_and_minute_without_a_loss() -> None:
    embedded = even_work(shards=MOST_ENTRIES + 1, workers=2, shard_s=10)
    entries = shard_timeline(embedded, [7] * len(embedded))
    # Six in a minute; the first minute has five, because the sixth ends with it.
    assert [entry["shards"] for entry in entries[:4]] == [5, 5, 6, 6] and len(entries) == 168
    assert all(entry["shard"] is None for entry in entries[:4])
    assert sum(entry["tokens"] for entry in entries) == 7 * len(embedded)
    assert sum(entry["seconds"] for entry in entries) == 10 * len(embedded)


def test_a_timeline_has_a_bounded_length_however_long_the_job() -> None:
    assert len(shard_timeline(even_work(shards=MOST_ENTRIES, workers=8, shard_s=9), [1] * 10_000)) == MOST_ENTRIES
    week = shard_timeline(even_work(shards=10_000, workers=8, shard_s=480), [1] * 10_000)
    assert len(week) <= MOST_ENTRIES and sum(entry["shards"] for entry in week) == 10_000
    crowd = shard_timeline(even_work(shards=4_000, workers=2_000, shard_s=9_000), [1] * 10_000)
    assert len(crowd) == 2_000


def test_a_shard_whose_beginning_is_unknown_is_left_out() -> None:
    known = work(1, begin_s=0, end_s=1)
    unknown = ShardWork(GPU, EmbeddedShard(0, START))
    assert [entry["shard"] for entry in shard_timeline({0: unknown, 1: known}, [1, 1])] == [1]
    assert shard_timeline({}, []) == []
