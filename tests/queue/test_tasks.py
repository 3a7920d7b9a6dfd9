from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.keys import owner_of
from virnucpro_tasks.queue import tasks
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.job_queues import waiting
from virnucpro_tasks.settings import Settings


@pytest.mark.service
def test_shards_are_published_while_the_input_is_being_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[int] = []

    def reading(job: Job) -> Iterator[int]:
        for shard in range(6):
            published.append(waiting(app.backend.client, queue))
            yield shard

    monkeypatch.setattr(tasks, "split_files", reading)
    with EmbeddedBroker() as broker:
        app = make_app(replace(settings, broker_url=broker.url))
        job = make_job(settings, SAMPLE)
        queue = job.queue
        app.tasks["virnucpro.split_job"](job.job_id)
        assert waiting(app.backend.client, queue) == 6
        shown = [json.loads(message)["headers"]["argsrepr"] for message in app.backend.client.lrange(queue, 0, -1)]
        app.close()
    # Celery wants to know what follows before it sends one.
    assert published[0] == 0 and all(before >= place - 3 for place, before in enumerate(published))
    assert published[-1] >= 2
    # Flower lists the tasks by this text
    owner = owner_of(queue)
    assert sorted(shown) == [f"shard={shard} owner={owner} job={job.job_id}" for shard in range(6)]
