"""Checks of Redis: it keeps its data, has memory left, and answers soon."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from virnucpro_tasks.diagnosis.deployment import Deployment
from virnucpro_tasks.diagnosis.finding import Outcome, Status, above
from virnucpro_tasks.errors import size_text
from virnucpro_tasks.queue.redis_checks import check_durable, check_redis, unreachable
from virnucpro_tasks.queue.redis_memory import memory_of
from virnucpro_tasks.system.file_operations import exists

FULL_SHARE, MUCH_SHARE = 0.98, 0.8
"""Shares of its memory: at the first Redis is as good as full, at the second it is time to do something."""

MEMORY_ADVICE = "let jobs end or cancel some, raise maxmemory; 'redis-cli --bigkeys' shows what takes it"
SLOW_SECONDS = 0.05
LATENCY_PROBES = 5
DISK_ADVICE = "free the disk of Redis, see its log: it takes no jobs before it can write there"


def check_broker(deployment: Deployment) -> Outcome:
    """Whether Redis answers, serves this store, keeps its data and can write it. Raises BrokerError or StoreError."""
    if deployment.redis_error is not None:
        raise deployment.redis_error
    app, settings = deployment.app, deployment.settings
    if exists(settings.store):
        serves, warning = "answers, serves this store", check_redis(app)
    else:
        serves, warning = "answers", check_durable(app, redis_check=settings.redis_check)
    failing = failing_writes(deployment.redis_info)
    if failing:
        return Outcome(f"{serves}, but {failing}", Status.FAILED, DISK_ADVICE)
    version = str(deployment.redis_info.get("redis_version", ""))
    if warning:
        return Outcome(f"{serves}, but {warning}", Status.WARNING, "see deploy/redis.conf", {"version": version})
    return Outcome(f"{serves}, keeps its data", values={"version": version})


def failing_writes(info: Mapping[str, Any]) -> str:
    """The failure for which Redis refuses to write, by its answer to INFO; empty if there is none."""
    if int(info.get("loading") or 0):
        return "it is still loading its data"
    if info.get("aof_enabled") and info.get("aof_last_write_status", "ok") != "ok":
        return "it cannot write its append-only file"
    if info.get("rdb_last_bgsave_status", "ok") != "ok" and not info.get("aof_enabled"):
        return "it could not save its data"
    return ""


def check_memory(deployment: Deployment) -> Outcome:
    """The memory that Redis has left. Raises BrokerError."""
    if deployment.redis_error is not None:
        return Outcome(deployment.silence, Status.WARNING, "see the finding on Redis")
    return memory_outcome(deployment.redis_info)


def memory_outcome(info: Mapping[str, Any]) -> Outcome:
    """The memory of Redis by its answer to INFO."""
    memory = memory_of(info)
    share = memory.used_share
    values = {
        "used_bytes": memory.used_bytes,
        "limit_bytes": memory.limit_bytes,
        "has_maxmemory": memory.has_maxmemory,
    }
    if share is None or memory.limit_bytes is None:
        return Outcome(f"{size_text(memory.used_bytes)} used, it tells no limit", values=values)
    limit = "maxmemory" if memory.has_maxmemory else "the memory of its machine; no maxmemory is set"
    detail = f"{size_text(memory.used_bytes)} of {size_text(memory.limit_bytes)} used ({limit})"
    status = Status.FAILED if share >= FULL_SHARE else above(share, most=MUCH_SHARE)
    return Outcome(detail, status, "" if status is Status.OK else MEMORY_ADVICE, values)


def check_latency(deployment: Deployment) -> Outcome:
    """The time of an answer of Redis. Raises BrokerError."""
    if deployment.redis_error is not None:
        return Outcome(deployment.silence, Status.WARNING, "see the finding on Redis")
    client, seconds = deployment.app.backend.client, []
    try:
        client.ping()  # the first one connects
        for _ in range(LATENCY_PROBES):
            began = time.perf_counter()
            client.ping()
            seconds.append(time.perf_counter() - began)
    except RedisError as error:
        raise unreachable(deployment.app, error) from None
    return latency_outcome(statistics.median(seconds))


def latency_outcome(seconds: float) -> Outcome:
    """Whether an answer in so many seconds is soon enough."""
    status = above(seconds, most=SLOW_SECONDS)
    advice = "" if status is Status.OK else "run Redis nearer to the workers; is its machine busy or swapping?"
    return Outcome(f"an answer takes {seconds * 1e3:.1f} ms", status, advice, {"seconds": round(seconds, 6)})
