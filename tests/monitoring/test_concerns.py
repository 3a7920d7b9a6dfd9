from __future__ import annotations

from monitoring.looks import gpu_worker, look, troubled

from virnucpro_tasks.monitoring.concerns import concerns
from virnucpro_tasks.monitoring.look import FailedJob
from virnucpro_tasks.queue.redis_memory import RedisMemory
from virnucpro_tasks.queue.work_counts import WorkCounts


def test_of_a_healthy_deployment_there_is_nothing_to_say() -> None:
    assert list(concerns(look())) == []


def test_each_trouble_is_one_line_that_controls_no_terminal() -> None:
    lines = list(concerns(troubled()))
    expected = [
        "the store has 1.0 GB left",
        "Redis uses 90% of its memory",
        "embed-gpu0@one has shown no progress for 160 s at shard 5 of ",
        "worker embed-gpu1@one, 5 s ago: killed by signal 9 (see dmesg)",
        "workers have 2 versions: 1.0, 2.0",
        "2 jobs of the store cannot be read",
        "no worker takes shards from gpu-ffffffffffff",
        "no coordinator splits and finishes jobs",
        "20270101t000000z-aaaaaaaaaaaaaaaa: 1 shard with quarantined",
        "20270101t000000z-aaaaaaaaaaaaaaaa: the store fails: no space",
    ]
    assert len(lines) == len(expected)
    assert all(line.startswith(beginning) for line, beginning in zip(lines, expected, strict=True))
    assert all(line.isprintable() for line in lines)


def test_a_full_redis_is_one_line_that_says_what_to_do() -> None:
    full = look(redis_error="Redis is full", redis_full=True, redis=RedisMemory(2, 1, has_maxmemory=True), workers=())
    assert list(concerns(full)) == [
        "Redis is full: raise its maxmemory, or cancel jobs; workers cannot be asked until then"
    ]


def test_what_is_away_is_said_first_and_what_it_would_tell_is_no_concern() -> None:
    away = look(redis_error="Redis cannot be reached", store_error="not mounted", workers=(), redis=None, store=None)
    assert list(concerns(away)) == [
        "Redis cannot be reached",
        "the store cannot be read: not mounted",
    ]


def test_the_newest_failed_jobs_are_named_and_the_others_counted() -> None:
    failed = tuple(FailedJob(f"run_{number}", "bob", 60.0 * number) for number in range(1, 8))
    lines = list(concerns(look(failed_jobs=failed)))
    assert lines[0] == "run_1 of bob failed 1:00 ago: 'virnucpro status run_1' says why"
    assert lines[5:] == ["2 more failed within a day: 'virnucpro list' names them"]


def test_a_slow_worker_is_named_last() -> None:
    slow = gpu_worker("embed-gpu1@one", counts=WorkCounts({"embedded": 5}, 10.0, 100))
    lines = list(concerns(look(workers=(slow, gpu_worker()), failed_jobs=(FailedJob("run_8", "bob", 1.0),))))
    assert "no coordinator" in lines[1]
    assert lines[2:] == ["embed-gpu1@one is slow: 10 tokens/s, workers like it 50"]
