"""What a worker process does besides running Celery."""

from __future__ import annotations

from types import SimpleNamespace

import billiard
import pytest
from virnucpro_workers.loading import LoadingState
from virnucpro_workers.process import Role, allow_children, queue_step

from virnucpro_tasks.map_ahead import map_ahead


def finish_with_processes(answers: billiard.Queue) -> None:
    allow_children()
    answers.put(list(map_ahead(abs, [-1, 2, -3], processes=2)))


def test_a_pool_child_may_start_processes() -> None:
    answers = billiard.Queue()
    child = billiard.Process(target=finish_with_processes, args=(answers,), daemon=True)
    child.start()
    assert answers.get(timeout=60) == [1, 2, 3]
    child.join()
    assert child.exitcode == 0


def test_a_worker_takes_no_shard_before_its_models_are_loaded() -> None:
    loading = LoadingState()
    step = queue_step(Role.EMBED, ("gpu-0",), loading)(SimpleNamespace())
    step.look(SimpleNamespace(task_consumer=None))
    loading.run(lambda: None, name="embed-cpu0")
    with pytest.raises(AttributeError, match="channel"):
        step.look(SimpleNamespace(task_consumer=None))  # it wants to know of the queues now
