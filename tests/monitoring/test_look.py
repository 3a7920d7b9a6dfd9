from __future__ import annotations

from dataclasses import replace

from monitoring.looks import QUEUE, coordinator, gpu_worker, look, open_job, troubled
from msgspec import structs

from virnucpro_tasks.monitoring.look import LEAST_TASKS, SeenWorker
from virnucpro_tasks.queue.work_counts import WorkCounts


def worker(name: str, tokens_per_second: int, *, tasks: int = LEAST_TASKS, device: str = "NVIDIA H200") -> SeenWorker:
    made = gpu_worker(name, counts=WorkCounts({"embedded": tasks}, 10.0, 10 * tokens_per_second))
    return replace(made, facts=structs.replace(made.facts, device=device))


def test_a_worker_is_slow_beside_those_with_the_same_device() -> None:
    fast = [worker(f"fast{number}", 1_000 + number) for number in range(3)]
    seen = look(workers=(*fast, worker("slow", 499), worker("half", 501), worker("cpu", 5, device="")))
    assert seen.slow_workers == {"slow": 1_000}


def test_of_two_workers_the_faster_one_is_the_measure_and_few_tasks_tell_nothing() -> None:
    assert look(workers=(worker("a", 100), worker("b", 49))).slow_workers == {"b": 100}
    assert look(workers=(worker("a", 100), worker("b", 49, tasks=LEAST_TASKS - 1))).slow_workers == {}


def test_a_queue_of_a_job_does_not_tell_workers_apart() -> None:
    other = worker("b", 10)
    assert other.info is not None
    other = replace(other, info=replace(other.info, queues=(f"{QUEUE}.alice.6.job", QUEUE)))
    assert look(workers=(worker("a", 100), other)).slow_workers == {"b": 100}


def test_what_is_stuck_or_dead_comes_first_and_what_is_idle_last() -> None:
    assert [one.name for one in troubled().workers_by_need()] == [
        "embed-gpu0@one",
        "coordinate-0@one",
        "embed-gpu1@one",
        "embed-gpu2@two",
    ]
    idle = look(workers=(coordinator(), worker("busy", 100), worker("slow", 40)))
    assert [one.name for one in idle.workers_by_need()] == ["slow", "busy", "coordinate-0@one"]


def test_a_worker_is_at_a_shard_of_a_job_by_its_name() -> None:
    busy, dead, gone, _ = troubled().workers
    assert look().at_text(busy) == "shard 5 of run_7"
    assert look(open_jobs=()).at_text(busy) == f"shard 5 of {open_job().job_id}"
    assert [look().at_text(one) for one in (dead, gone, coordinator())] == ["died", "gone", "idle"]
