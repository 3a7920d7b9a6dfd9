"""The facts that each worker process tells of itself when it is asked: version, user, clock, device, its load, room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.queue.client import PING_SECONDS
from virnucpro_tasks.queue.redis_checks import check_reachable, unreachable
from virnucpro_tasks.system.free_room import FreeRoom
from virnucpro_tasks.system.gpu_reading import GpuReading

FACTS_QUESTION = "virnucpro_facts"
"""The name of the question, a remote control command of Celery."""


class ProcessFacts(msgspec.Struct, frozen=True):
    """A worker process: version and build of this package, its user and groups (numbers), its umask if that is known.

    `clock_seconds` is the time of its host less that of Redis, None if Redis did not tell. `device` is the GPU that it
    may use, empty if there is none, `driver` the version of the NVIDIA driver, `gpu` what that GPU is doing
    now, None if there is none or several. `store` is the room of the store as its host has it mounted, `temporary` that
    of its temporary folder. A worker of an earlier version answers without any of it.
    """

    version: str = ""
    build: str = ""
    host: str = ""
    uid: int | None = None
    groups: tuple[int, ...] = ()
    umask: int | None = None
    clock_seconds: float | None = None
    device: str = ""
    driver: str = ""
    gpu: GpuReading | None = None
    store: FreeRoom | None = None
    temporary: FreeRoom | None = None


def process_facts(app: Celery, *, seconds: float = PING_SECONDS) -> dict[str, ProcessFacts]:
    """Ask all workers; returns the facts of those that answer by their names. Raises BrokerError."""
    check_reachable(app)
    # As in `client.workers`: a connection of its own for the question.
    app.control.mailbox.producer_pool = None
    try:
        with app.connection_for_write() as connection:
            replies = app.control.broadcast(FACTS_QUESTION, reply=True, timeout=seconds, connection=connection) or []
    except (OperationalError, RedisError) as error:
        raise unreachable(app, error) from None
    return {name: _read(answer) for reply in replies for name, answer in reply.items()}


def workers_are_others(app: Celery, uid: int) -> bool | None:
    """Ask whether a worker is another user than `uid`, and not root, who may read everything; None if none tells."""
    try:
        return are_others(process_facts(app), uid)
    except BrokerError:
        return None


def are_others(told: Mapping[str, ProcessFacts], uid: int) -> bool | None:
    """Whether a worker is another user than `uid`, and not root, by what workers told; None if none told."""
    uids = {facts.uid for facts in told.values()} - {None}
    return bool(uids - {uid, 0}) if uids else None


def _read(answer: Any) -> ProcessFacts:
    """Read the answer of a worker; without facts if it does not know the question, or answers it otherwise."""
    try:
        return msgspec.convert(answer, ProcessFacts)
    except msgspec.ValidationError:
        return ProcessFacts()
