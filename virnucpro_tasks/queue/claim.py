"""A Redis serves one store: workers of another one would take its messages, find no such job, and drop them."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.jobs.store_id import store_id
from virnucpro_tasks.keys import STORE
from virnucpro_tasks.queue.app import VirnucproApp
from virnucpro_tasks.settings import masked_url


def check_claim(app: VirnucproApp) -> None:
    """`claim` for the store of the settings, before work is begun; whatever is wrong with Redis is a BrokerError."""
    try:
        claim(app.backend.client, app.settings.store)
    except RedisError as error:
        raise BrokerError(
            f"Redis at {masked_url(app.conf.broker_url)} does not tell which store it serves: {error}",
            hint="does its user lack rights? see docs/operations.md",
        ) from error


def claim(client: Any, store: Path) -> None:
    """Say in Redis that it serves `store`, if nobody has said so yet. `client` is a redis-py client.

    Raises BrokerError if it serves another store, StoreError for one without a readable id, redis.RedisError.
    """
    ours = {"id": store_id(store), "folder": str(store.absolute()), "host": socket.gethostname()}
    said = json.dumps(ours)
    if client.set(STORE, said, nx=True):
        return
    try:
        theirs = json.loads(client.get(STORE) or said)
        theirs_is_ours, named = theirs["id"] == ours["id"], f"{theirs['folder']}, as {theirs['host']} named it first"
    except (ValueError, TypeError, KeyError):
        theirs_is_ours, named = False, f"what {STORE} says is not readable"
    if not theirs_is_ours:
        raise BrokerError(
            f"this Redis serves another store: {named}, not {store}",
            hint=f"give that store, or this one a database of its own (as redis://host:6379/1); "
            f"if the other is gone for good, delete the key {STORE} there",
        )
