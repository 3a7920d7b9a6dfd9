from __future__ import annotations

from dataclasses import replace

from virnucpro_tasks.keys import COORDINATOR_QUEUES, CPU_QUEUE
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings


def test_the_fixed_queues_are_those_of_coordinators() -> None:
    app = make_app(Settings())
    assert [queue.name for queue in app.conf.task_queues] == [queue.name for queue in COORDINATOR_QUEUES]
    assert app.conf.task_default_queue == CPU_QUEUE
    app.close()


def test_settings_become_time_limits_and_the_time_to_stop() -> None:
    app = make_app(replace(Settings(), split_time_limit_seconds=60, soft_shutdown_seconds=7))
    for task in ("virnucpro.split_job", "virnucpro.finish_job"):
        assert app.conf.task_annotations[task] == {"time_limit": 60}
    assert app.conf.worker_soft_shutdown_timeout == 7
    assert app.settings.soft_shutdown_seconds == 7
    app.close()


def test_a_message_is_acknowledged_after_its_task_and_goes_back_if_the_process_is_lost() -> None:
    conf = make_app(Settings()).conf
    assert conf.task_acks_late and conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == conf.worker_concurrency == 1
