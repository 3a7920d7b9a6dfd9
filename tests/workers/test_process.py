"""What a worker process does besides running Celery."""

from __future__ import annotations

import billiard
import pytest
from virnucpro_workers.process import Role, allow_children, transport_options

from virnucpro_tasks.processes import ordered_process_map
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings


def finish_with_processes(answers: billiard.Queue) -> None:
    allow_children()
    answers.put(list(ordered_process_map(abs, [-1, 2, -3], processes=2)))


def test_a_pool_child_may_start_processes() -> None:
    answers = billiard.Queue()
    child = billiard.Process(target=finish_with_processes, args=(answers,), daemon=True)
    child.start()
    assert answers.get(timeout=60) == [1, 2, 3]
    child.join()
    assert child.exitcode == 0


@pytest.mark.parametrize(("role", "seconds"), [(Role.EMBED, 0.25), (Role.COORDINATE, 1), (Role.COORDINATE_SMALL, 1)])
def test_a_gpu_waits_for_the_queue_of_a_new_job_a_quarter_of_a_second(role: Role, seconds: float) -> None:
    app = make_app(Settings())
    app.conf.broker_transport_options |= transport_options(role)
    connection = app.connection_for_read()
    assert connection.transport.brpop_timeout == seconds
    assert connection.transport_options["priority_steps"]
    app.close()
