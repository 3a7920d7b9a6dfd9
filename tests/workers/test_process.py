"""What each role of a worker process takes from, and the steps of its consumer."""

from __future__ import annotations

import subprocess
import sys

import pytest
from virnucpro_workers.consumer.follow import CountWaiting, FollowJobQueues
from virnucpro_workers.consumer.lost_jobs import Watchdog
from virnucpro_workers.consumer.retention import Retention
from virnucpro_workers.loading import LoadingState
from virnucpro_workers.process import consumer_steps, load_models, queues_of, transport_options
from virnucpro_workers.roles import COORDINATE, EMBED, ROLES
from virnucpro_workers.sign_of_life import SignOfLife

from virnucpro_tasks.build import own_build
from virnucpro_tasks.keys import coordinator_queues
from virnucpro_tasks.pipeline.embed_shard import ShardWorker
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings

SMALL = "coordinate-small"

WORKER = """
from virnucpro_workers.process import celery_options
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings
worker = make_app(Settings()).Worker(**celery_options(queues=("cpu",), node="coordinate-0@host", log_level="INFO"))
steps = {step.name.rpartition(".")[2] for step in worker.consumer.steps}
assert (worker.pool_cls.__name__, worker.concurrency, worker.prefetch_multiplier) == ("TaskPool", 1, 1)
assert (worker.hostname, list(worker.app.amqp.queues.consume_from)) == ("coordinate-0@host", ["cpu"])
assert worker.task_events and not steps & {"Mingle", "Gossip"} and {"Tasks", "Control", "Events"} <= steps
import sys
assert not {"pandas", "celery.bin.celery", "torch"} & set(sys.modules)
"""


def test_a_celery_worker_is_made_without_the_command_line_and_pandas() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", WORKER], check=True, timeout=120)


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
    assert queues_of(COORDINATE, Settings()) == coordinator_queues(own_build())
    assert queues_of(SMALL, Settings()) == (f"cpu-small.{own_build()}",)


def test_an_embedding_worker_takes_from_the_queue_of_its_bundle() -> None:
    (queue,) = queues_of(EMBED, Settings(bundle="demo"))
    (step,) = consumer_steps(EMBED, (queue,), LoadingState())
    assert queue.startswith("gpu-") and queue.endswith(f"-{own_build()}")
    assert issubclass(step, FollowJobQueues) and step.bundle_queue == queue


def test_only_the_coordinators_of_all_queues_look_for_lost_jobs() -> None:
    assert consumer_steps(COORDINATE, (), LoadingState()) == [CountWaiting, Watchdog, Retention]
    assert consumer_steps(SMALL, (), LoadingState()) == [CountWaiting]


def test_the_models_are_loaded_into_the_shard_worker_of_the_application(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[ShardWorker] = []
    monkeypatch.setattr(ShardWorker, "engine", lambda self: loaded.append(self))
    app = make_app(settings)
    load_models(app, "gpu0", SignOfLife())
    assert loaded == [app.shard_worker]
    app.close()
