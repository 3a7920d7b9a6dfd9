from __future__ import annotations

import re
from dataclasses import replace

import pytest
from monitoring.looks import QUEUE, look, troubled
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from virnucpro_tasks.jobs.progress import JobState
from virnucpro_tasks.monitoring.look import Look
from virnucpro_tasks.monitoring.metrics import METRICS, Kind
from virnucpro_tasks.monitoring.serve import LastLook
from virnucpro_tasks.queue.redis_memory import RedisMemory

JOB = {"job_id": "20270101t000000z-aaaaaaaaaaaaaaaa", "name": "run_7", "owner": "alice"}
WORKER = {"worker": "embed-gpu0@one"}


def read(seen: Look) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The samples of a look by the names of their metrics, as Prometheus reads them."""
    last, registry = LastLook(), CollectorRegistry()
    last.keep(seen)
    registry.register(last)
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return found


def test_each_metric_is_listed_once_and_has_a_name_and_words_of_its_own() -> None:
    assert len({spec.full_name for spec in METRICS}) == len(METRICS)
    assert len({spec.help for spec in METRICS}) == len(METRICS)
    for spec in METRICS:
        assert re.fullmatch(r"virnucpro_[a-z_]+", spec.full_name)
        assert spec.help.endswith(".")
        assert spec.full_name.endswith("_total") == (spec.kind is Kind.COUNTER)


def test_all_metrics_are_told_and_no_others() -> None:
    told = {*read(look()), *read(troubled())}
    assert told == {spec.full_name for spec in METRICS}


WORKERS_ONLY = {"virnucpro_queue_workers", "virnucpro_queue_shards_running", "virnucpro_job_waiting_seconds"}


@pytest.mark.parametrize("is_full", [True, False])
def test_what_only_workers_know_is_absent_while_they_cannot_be_asked(is_full: bool) -> None:
    # So that no alert says that nobody serves a queue, or that nobody works.
    known = RedisMemory(99, 100, has_maxmemory=True) if is_full else None
    jobs = (replace(look().open_jobs[0], running=(), waiting=5 if is_full else None),)
    found = read(look(redis_error="full", redis_full=is_full, redis=known, workers=(), open_jobs=jobs))
    assert found["virnucpro_redis_up"] == [({}, float(is_full))]
    assert ("virnucpro_redis_used_bytes" in found) is is_full
    assert ("virnucpro_queue_shards_waiting" in found) is is_full
    assert not WORKERS_ONLY & found.keys()
    assert "running" not in {labels["state"] for labels, _ in found["virnucpro_job_shards"]}


def test_values_are_those_of_the_look() -> None:
    found = read(look())
    assert found["virnucpro_jobs"] == [
        ({"state": str(state)}, {JobState.EMBEDDING: 1, JobState.DONE: 3}.get(state, 0)) for state in JobState
    ]
    assert found["virnucpro_job_progress_ratio"] == [(JOB, 0.4)]
    assert found["virnucpro_job_eta_seconds"] == [(JOB, 12.0)]
    states = {"done": 4, "quarantined": 0, "running": 1, "waiting": 5, "all": 10}
    assert found["virnucpro_job_shards"] == [(JOB | {"state": state}, number) for state, number in states.items()]
    assert found["virnucpro_queue_tokens_left"] == [({"queue": QUEUE, "owner": "alice"}, 600)]
    assert found["virnucpro_queue_workers"] == [({"queue": QUEUE}, 1), ({"queue": "coordinator"}, 1)]
    numbers = {"embedded": 4, "failed": 1, "quarantined": 0, "reassigned": 0, "refused": 0, "stopped": 0}
    ends = [sample for sample in found["virnucpro_worker_shards_total"] if sample[0]["worker"] == WORKER["worker"]]
    assert ends == [(WORKER | {"end": end}, number) for end, number in numbers.items()]
    gpu = {name: samples for name, samples in found.items() if name.startswith("virnucpro_worker_gpu_")}
    assert gpu == {
        "virnucpro_worker_gpu_used_bytes": [(WORKER, 100)],
        "virnucpro_worker_gpu_size_bytes": [(WORKER, 400)],
        "virnucpro_worker_gpu_busy_ratio": [(WORKER, 0.97)],
        "virnucpro_worker_gpu_power_watts": [(WORKER, 612.5)],
    }
    assert (WORKER, 400) in found["virnucpro_worker_tokens_total"]
    assert (WORKER, 8.0) in found["virnucpro_worker_busy_seconds_total"]
    assert found["virnucpro_redis_used_bytes"] == [({}, 1e8)]
    assert found["virnucpro_job_waiting_seconds"] == [(JOB, 0.0)]


def test_what_is_not_known_is_absent_rather_than_zero() -> None:
    found = read(look(redis=None, store=None, redis_error="refused", store_error="not mounted", open_jobs=()))
    assert found["virnucpro_redis_up"] == found["virnucpro_store_up"] == [({}, 0.0)]
    absent = {"virnucpro_redis_used_bytes", "virnucpro_store_free_bytes", "virnucpro_jobs_with_store_failures"}
    absent |= {"virnucpro_jobs_unreadable"}
    assert not absent & set(found)


def test_a_worker_that_no_longer_answers_is_down_and_keeps_its_counts() -> None:
    found = read(troubled())
    assert ({"worker": "embed-gpu1@one"}, 0.0) in found["virnucpro_worker_up"]
    assert [labels for labels, _ in found["virnucpro_worker_last_death_timestamp_seconds"]] == [
        {"worker": "embed-gpu1@one"}
    ]


def test_before_the_first_look_there_is_no_metric() -> None:
    registry = CollectorRegistry()
    registry.register(LastLook())
    assert generate_latest(registry) == b""
