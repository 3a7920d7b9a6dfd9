from __future__ import annotations

from monitoring.looks import look, troubled

from virnucpro_tasks.monitoring.concerns import concerns
from virnucpro_tasks.queue.redis_memory import RedisMemory


def test_of_a_healthy_deployment_there_is_nothing_to_say() -> None:
    assert list(concerns(look())) == []


def test_each_trouble_is_one_line_that_controls_no_terminal() -> None:
    lines = list(concerns(troubled()))
    expected = [
        "the store has 1.0 GB left",
        "Redis uses 90% of its memory",
        "embed-gpu0@one has shown no progress for 160 s",
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
        "Redis does not answer: Redis cannot be reached",
        "the store cannot be read: not mounted",
    ]
