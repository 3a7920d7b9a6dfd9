from __future__ import annotations

from virnucpro_workers.consumer.fair_order import FairQueueOrder
from virnucpro_workers.consumer.follow import CountWaiting
from virnucpro_workers.consumer.install import install
from virnucpro_workers.consumer.lease import LeaseKeeper
from virnucpro_workers.consumer.request import CountedRequest

from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.outcomes import PipelineTask
from virnucpro_tasks.settings import Settings


def test_a_worker_has_leases_counted_requests_and_the_fair_order_and_the_steps_of_its_role() -> None:
    before = PipelineTask.Request
    app = make_app(Settings())
    try:
        install(app, steps=[CountWaiting], transport_options={"polling_interval": 0.25})
        assert app.steps["consumer"] == {LeaseKeeper, CountWaiting}
        assert app.conf.broker_transport_options["polling_interval"] == 0.25
        # Also the options of every application are still there.
        assert app.conf.broker_transport_options["priority_steps"]
        assert PipelineTask.Request == f"{CountedRequest.__module__}:{CountedRequest.__name__}"
        order = app.conf.broker_transport_options["queue_order_strategy"]
        assert order == f"{FairQueueOrder.__module__}:{FairQueueOrder.__name__}"
    finally:
        PipelineTask.Request = before
        app.close()


def test_a_client_has_none_of_it() -> None:
    app = make_app(Settings())
    assert not app.steps["consumer"]
    assert "queue_order_strategy" not in app.conf.broker_transport_options
    app.close()
