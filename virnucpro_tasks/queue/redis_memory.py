"""Tells how much memory Redis uses and has left, and refuses a job for which it has too little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError, ResponseError

from virnucpro_tasks.broker_url import masked_url
from virnucpro_tasks.errors import NoRoomError, size_text
from virnucpro_tasks.queue.redis_checks import unreachable


@dataclass(frozen=True, slots=True)
class RedisMemory:
    """The memory of Redis in bytes: used, and the limit, `maxmemory` or else all memory of its machine.

    `limit_bytes` is None if it tells neither.
    """

    used_bytes: int
    limit_bytes: int | None
    has_maxmemory: bool

    @property
    def free_bytes(self) -> int | None:
        return None if self.limit_bytes is None else max(0, self.limit_bytes - self.used_bytes)

    @property
    def used_share(self) -> float | None:
        return None if not self.limit_bytes else self.used_bytes / self.limit_bytes


def memory_of(info: Mapping[str, Any]) -> RedisMemory:
    """The memory of Redis by its answer to INFO; entries that a service leaves out count as unknown."""
    limit, machine = int(info.get("maxmemory") or 0), int(info.get("total_system_memory") or 0)
    return RedisMemory(int(info.get("used_memory") or 0), limit or machine or None, bool(limit))


def read_info(app: Celery) -> dict[str, Any]:
    """Redis's answer to INFO, empty if its user may not ask. Raises BrokerError if it cannot be reached."""
    try:
        found: dict[str, Any] = app.backend.client.info()
        return found
    except ResponseError:
        return {}
    except (OperationalError, RedisError, OSError) as error:
        raise unreachable(app, error) from None


def require_redis_room(app: Celery, needed_bytes: int) -> None:
    """Raise NoRoomError if Redis has less memory left than a job needs; one that does not tell has enough."""
    memory = memory_of(read_info(app))
    if memory.free_bytes is None or memory.free_bytes >= needed_bytes:
        return
    of = "its maxmemory" if memory.has_maxmemory else "the memory of its machine"
    raise NoRoomError(
        f"Redis at {masked_url(app.conf.broker_url)} uses {size_text(memory.used_bytes)} of the "
        f"{size_text(memory.limit_bytes or 0)} of {of}, and the job and those under way need about "
        f"{size_text(needed_bytes)} more",
        hint="wait until other jobs are finished, raise maxmemory, or repeat the command with --anyway",
    )
