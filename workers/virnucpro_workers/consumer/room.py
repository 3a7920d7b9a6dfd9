"""A client of Redis for workers that waits while Redis is full, instead of failing.

A Redis at its `maxmemory` answers, and refuses what needs memory. To Celery and kombu that is an error like any other:
they would lose messages that they have just taken, call finished tasks failed, and end the worker, again and again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import OutOfMemoryError, WatchError

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
"""All processes ask again so soon, hence none finds leases lapsed that another has not had the time to renew."""

T = TypeVar("T")


class Patience:
    """Repeats an operation while Redis is full, and tells the beginning and the end of that once a process.

    `on_wait` and `on_room` are called in the thread that waits. If `gives_up` says so, the error is raised.
    """

    def __init__(self) -> None:
        self.on_wait: Callable[[], None] = lambda: None
        self.on_room: Callable[[], None] = lambda: None
        self.gives_up: Callable[[], bool] = lambda: False
        self._lock = threading.Lock()
        self._waiting: set[int] = set()

    def repeat(self, operation: Callable[[], T]) -> T:
        """Call `operation` until Redis has room for it; returns its result."""
        pause_seconds, is_waiting = FIRST_PAUSE_SECONDS, False
        try:
            while True:
                try:
                    return operation()
                except OutOfMemoryError as error:
                    if self.gives_up():
                        raise
                    if not is_waiting:
                        is_waiting = True
                        self._begin(error)
                time.sleep(pause_seconds)
                pause_seconds = min(LONGEST_PAUSE_SECONDS, 2 * pause_seconds)
        finally:
            if is_waiting:
                self._end()

    def _begin(self, error: OutOfMemoryError) -> None:
        with self._lock:
            is_first = not self._waiting
            self._waiting.add(threading.get_ident())
        if is_first:
            log.error("Redis is full: waiting until it has room; raise its maxmemory, or cancel jobs (%s)", error)
        self.on_wait()

    def _end(self) -> None:
        self.on_room()
        with self._lock:
            self._waiting.discard(threading.get_ident())
            is_last = not self._waiting
        if is_last:
            log.warning("Redis has room again, or this worker stops")


patience = Patience()
"""That of this process."""


class PatientRedis(Redis):
    """A client whose commands wait while Redis is full."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return patience.repeat(lambda: super(PatientRedis, self).execute_command(*args, **options))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> PatientPipeline:  # noqa: FBT001, FBT002
        return PatientPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class PatientPipeline(Pipeline):
    """A pipeline that is executed once Redis has room for all of it."""

    def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        return Pipeline.execute_command(self, *args, **kwargs)

    def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002
        commands, scripts = list(self.command_stack), set(self.scripts)
        explicit, was_watching = self.explicit_transaction, self.watching

        def run() -> list[Any]:
            # What failed is forgotten by then.
            self.command_stack, self.scripts, self.explicit_transaction = list(commands), set(scripts), explicit
            return Pipeline.execute(self, raise_on_error)

        if not was_watching:
            return patience.repeat(run)
        try:
            return Pipeline.execute(self, raise_on_error)
        except OutOfMemoryError as error:
            if patience.gives_up():
                raise
            # It is to be made anew, from what is there then.
            time.sleep(LONGEST_PAUSE_SECONDS)
            raise WatchError("Redis was full") from error
