"""What each role of a worker process takes from, and the steps of its consumer."""

from __future__ import annotations

import pytest
from virnucpro_workers.consumer.follow import CountWaiting, FollowJobQueues
from virnucpro_workers.consumer.lost_jobs import Watchdog
from virnucpro_workers.loading import LoadingState
from virnucpro_workers.process import COORDINATE, EMBED, ROLES, consumer_steps, queues_of, transport_options

from virnucpro_tasks.keys import COORDINATOR_QUEUES
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import DEVICE_VARIABLE, Settings, load_settings

SMALL = "coordinate-small"


@pytest.mark.parametrize(("role", "seconds"), [(EMBED, 0.25), (COORDINATE, 1), (SMALL, 1)])
def test_a_gpu_waits_for_the_queue_of_a_new_job_a_quarter_of_a_second(role: str, seconds: float) -> None:
    app = make_app(Settings())
    app.conf.broker_transport_options |= transport_options(role)
    connection = app.connection_for_read()
    assert connection.transport.brpop_timeout == seconds
    assert connection.transport_options["priority_steps"]
    app.close()


def test_coordinators_serve_all_queues_of_coordinators_and_one_the_small_inputs_only() -> None:
    assert ROLES == (EMBED, COORDINATE, SMALL)
    assert queues_of(COORDINATE, Settings()) == tuple(queue.name for queue in COORDINATOR_QUEUES)
    assert queues_of(SMALL, Settings()) == ("cpu-small",)


def test_an_embedding_worker_takes_from_the_queue_of_its_bundle() -> None:
    (queue,) = queues_of(EMBED, Settings(bundle="demo"))
    (step,) = consumer_steps(EMBED, (queue,), LoadingState())
    assert queue.startswith("gpu-")
    assert issubclass(step, FollowJobQueues) and step.bundle_queue == queue


def test_only_the_coordinators_of_all_queues_look_for_lost_jobs() -> None:
    assert consumer_steps(COORDINATE, (), LoadingState()) == [CountWaiting, Watchdog]
    assert consumer_steps(SMALL, (), LoadingState()) == [CountWaiting]


def test_the_device_of_a_worker_is_no_unknown_setting() -> None:
    assert load_settings(environment={DEVICE_VARIABLE: "gpu0"}) == Settings()
