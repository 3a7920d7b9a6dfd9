"""Checks of Redis before work begins: it answers, keeps its data, and serves the store of the settings."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import OutOfMemoryError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from virnucpro_tasks.broker_url import masked_url
from virnucpro_tasks.errors import BrokerError, FullBrokerError, StoreError
from virnucpro_tasks.jobs.store_id import store_id
from virnucpro_tasks.keys import ROOM, STORE
from virnucpro_tasks.paths import store_id_file
from virnucpro_tasks.queue.app import VirnucproApp
from virnucpro_tasks.system.file_operations import is_there

CONNECT_RETRIES = 2
DURABILITY_HINT = "see deploy/redis.conf; with VIRNUCPRO_REDIS_CHECK=warn it is used all the same"


def check_reachable(app: Celery) -> None:
    """Raise BrokerError unless Redis answers. A client that waits for answers for a limited time does so once."""

    def give_up_if_silent(error: Exception, _: float) -> None:
        if app.conf.broker_transport_options.get("socket_timeout") and is_silent(error):
            raise error

    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(
                give_up_if_silent, max_retries=CONNECT_RETRIES, interval_start=0.2, interval_max=0.5
            )
    except (OperationalError, RedisError, OSError) as error:
        raise unreachable(app, error) from None


def unreachable(app: Celery, error: Exception) -> BrokerError:
    """The error that Redis cannot be reached, does not answer, or is full, because of `error`."""
    if is_full(error):
        return full(app)
    return BrokerError(
        f"Redis at {masked_url(app.conf.broker_url)} cannot be reached: {error}",
        hint="start it, or set --broker-url; 'virnucpro predict' needs no server",
    )


def is_silent(error: BaseException) -> bool:
    """Return whether `error` is that Redis has taken a connection, or a question, and did not answer in time."""
    return isinstance(error, (TimeoutError, RedisTimeoutError))


def is_full(error: BaseException | None) -> bool:
    """Return whether `error`, or what caused it, is that Redis has no room."""
    while error is not None:
        if isinstance(error, OutOfMemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def full(app: Celery) -> FullBrokerError:
    """The error that Redis is full."""
    return FullBrokerError(
        f"Redis at {masked_url(app.conf.broker_url)} is full: it takes no new work, and workers wait",
        hint="raise its maxmemory (redis-cli CONFIG SET maxmemory), or cancel jobs that wait",
    )


def check_room(app: Celery) -> None:
    """Raise BrokerError unless Redis answers and has room for more."""
    check_reachable(app)
    try:
        app.backend.client.set(ROOM, "", px=1)
    except (OperationalError, RedisError) as error:
        raise unreachable(app, error) from None


def check_redis(app: VirnucproApp) -> str:
    """Check that Redis answers, serves this store and keeps its data; returns a warning, "" if there is none.

    Raises BrokerError. An eviction policy or a missing append-only file is a warning only if the setting `redis_check`
    is "warn".
    """
    check_reachable(app)
    warning = check_durable(app, redis_check=app.settings.redis_check)
    try:
        bind_store(app.backend.client, app.settings.store)
    except RedisError as error:
        if is_full(error):
            raise full(app) from None
        raise BrokerError(
            f"Redis at {masked_url(app.conf.broker_url)} does not tell which store it serves: {error}",
            hint="does its user lack rights? see docs/operations.md",
        ) from error
    return warning


def check_durable(app: Celery, *, redis_check: str) -> str:
    """Check persistence and eviction of Redis; returns the faults in one line, "" if there are none.

    Raises BrokerError with the faults unless `redis_check` is "warn".
    """
    try:
        with app.connection_for_read() as connection:
            faults = shortcomings(connection.default_channel.client.info())
    except (OperationalError, RedisError) as error:
        faults = [f"does not tell how it keeps data ({error})"]
    message = f"Redis at {masked_url(app.conf.broker_url)} {' and '.join(faults)}" if faults else ""
    if message and redis_check != "warn":
        raise BrokerError(message, hint=DURABILITY_HINT)
    return message


def shortcomings(info: dict[str, Any]) -> list[str]:
    """List what makes Redis lose jobs, from its answer to INFO: an active eviction policy, no append-only file."""
    found = []
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and int(info.get("maxmemory", 0)):
        found.append(f"evicts under memory pressure, shards among it (maxmemory-policy {policy}, not noeviction)")
    if not int(info.get("aof_enabled", 0)):
        found.append("forgets the queue when it restarts (appendonly no)")
    return found


def bind_store(client: Any, store: Path) -> None:
    """Record in Redis that it serves `store`, unless it is bound already. `client` is a redis-py client.

    A Redis serves one store: workers of another store would take its messages, find no such job, and drop them.
    Raises BrokerError if it serves another store, StoreError for a store without a readable id, redis.RedisError.
    """
    ours = {"id": store_id(store), "folder": str(store.absolute()), "host": socket.gethostname()}
    binding = json.dumps(ours)
    if client.set(STORE, binding, nx=True):
        return
    try:
        theirs = json.loads(client.get(STORE) or binding)
        is_ours, named = theirs["id"] == ours["id"], f"{theirs['folder']}, as {theirs['host']} named it first"
    except (ValueError, TypeError, KeyError):
        is_ours, named = False, f"what {STORE} says is not readable"
    if not is_ours:
        raise BrokerError(
            f"this Redis serves another store: {named}, not {store}",
            hint=f"give that store, or this one a database of its own (as redis://host:6379/1); "
            f"if the other is gone for good, delete the key {STORE} there",
        )


def rebind_store(client: Any, store: Path) -> bool:
    """Record that it serves `store` in a Redis that may have been emptied; creates nothing in the store.

    Returns False for a store without an id: it has no job yet, unless Redis is bound. Raises StoreError for one that is
    not there though Redis serves it, and what `bind_store` raises.
    """
    if is_there(store_id_file(store)):
        bind_store(client, store)
        return True
    if client.exists(STORE):
        raise store_is_missing(store)
    return False


def store_is_missing(store: Path) -> StoreError:
    """The error that `store` is not there, as where its file system is not mounted."""
    return StoreError(f"the store fails: {store} is not there", hint="is it mounted?", may_pass=True)


def serves(client: Any, store: Path) -> bool:
    """Return whether `store` is there, and the one that Redis serves, or Redis serves none yet. Creates nothing.

    Where a store is not mounted, its folder is empty, or has an id of its own. Raises redis.RedisError.
    """
    try:
        found = store_id_file(store).read_text(errors="replace").strip()
        bound = client.get(STORE)
        return bound is None or json.loads(bound)["id"] == found
    except (OSError, ValueError, TypeError, KeyError):
        return False
