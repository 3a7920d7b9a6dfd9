"""The configuration of the Celery application. docs/operations.md gives the reason for each value."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.app.utils import Settings as Configuration
from celery.loaders.app import AppLoader

from virnucpro_tasks.keys import CHORD_DAYS, CPU_QUEUE, PRIORITY_STEPS, RESULT_SECONDS
from virnucpro_tasks.queue.shard_shares import ShareWriter
from virnucpro_tasks.settings import Settings

if TYPE_CHECKING:
    from virnucpro_tasks.pipeline.embed_shard import ShardWorker

PUBLISH_RETRIES = {"max_retries": 60, "interval_start": 0, "interval_step": 0.5, "interval_max": 5}
"""Five minutes, with growing pauses in seconds: a shard that is not published is missing from its chord."""

VISIBILITY_TIMEOUT_SECONDS = 10 * 365 * 86_400.0
"""Practically infinite: leases, not kombu, decide when a taken message is delivered again."""

CONNECT_SECONDS = 5.0
"""Redis counts as unreachable after this time; the limit of the operating system is minutes."""


class Loader(AppLoader):
    """Imports the modules of tasks as Python does; Celery's own loader puts the current folder first.

    It reads no configuration but that of `make_app`, whatever module CELERY_CONFIG_MODULE names.
    """

    def read_configuration(self, env: str = "") -> dict[str, Any]:
        return {}

    def import_from_cwd(self, module: str, imp: Callable[..., Any] | None = None, package: str | None = None) -> Any:
        return (imp or self.import_module)(module, package=package)


class OwnConfiguration(Configuration):
    """The configuration of `make_app`: Celery's own prefers the variables CELERY_BROKER_URL, CELERY_RESULT_BACKEND and
    others, which in a shell or a container are those of another application.
    """

    @property
    def broker_url(self) -> str:
        return self.first("broker_url")

    @property
    def broker_read_url(self) -> str:
        return self.broker_url

    @property
    def broker_write_url(self) -> str:
        return self.broker_url

    @property
    def result_backend(self) -> str:
        return self.first("result_backend")


class VirnucproApp(Celery):
    """A Celery application that carries the settings, and in a computing process the shard worker, to its tasks.

    In a worker, `on_lost_child` is called when its computing process has died, before that one's message goes back, and
    each task is run within `working`, by which the computing process gives signs of life.
    """

    builtin_fixups: frozenset[str] = frozenset()
    """Celery's own one imports a Django project from the current folder if a variable asks for it."""

    settings: Settings
    shard_worker: ShardWorker
    on_lost_child: Callable[[], None] | None = None
    working: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def conf(self) -> OwnConfiguration:
        """The configuration; what variables of other applications say is no part of it."""
        conf = super().conf
        if type(conf) is Configuration:
            # An attribute of a configuration is an entry of it.
            object.__setattr__(conf, "__class__", OwnConfiguration)
        return conf

    @cached_property
    def share_writer(self) -> ShareWriter:
        return ShareWriter(self.backend.client)


def make_app(settings: Settings) -> VirnucproApp:
    """Build the application without opening a connection."""
    app = VirnucproApp(
        "virnucpro", loader=Loader, broker=settings.broker_url, backend=settings.broker_url, set_as_current=True
    )
    app.settings = settings
    app.conf.update(
        include=["virnucpro_tasks.queue.tasks"],
        task_default_queue=CPU_QUEUE,
        task_create_missing_queues=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_track_started=False,
        task_send_sent_event=True,
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        task_annotations={
            "virnucpro.split_job": {"time_limit": settings.split_time_limit_seconds},
            "virnucpro.finish_job": {"time_limit": settings.split_time_limit_seconds},
        },
        worker_send_task_events=True,
        worker_prefetch_multiplier=1,
        worker_pool="prefork",
        worker_concurrency=1,
        worker_soft_shutdown_timeout=settings.soft_shutdown_seconds,
        worker_hijack_root_logger=True,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
            "priority_steps": list(PRIORITY_STEPS),
        },
        task_publish_retry_policy=PUBLISH_RETRIES,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        result_backend_always_retry=True,
        redis_socket_connect_timeout=CONNECT_SECONDS,
        result_expires=timedelta(seconds=RESULT_SECONDS),
        result_chord_expires=timedelta(days=CHORD_DAYS),
    )
    return app
