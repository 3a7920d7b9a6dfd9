"""What a worker process does besides running Celery."""

from __future__ import annotations

import billiard
from virnucpro_workers.process import allow_children

from virnucpro_tasks.steps.map_ahead import map_ahead


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
