"""A Redis serves one store: workers of another one would take its messages, find no such job, and drop them."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.jobs.store_id import store_id
from virnucpro_tasks.keys import STORE


def claim(client: Any, store: Path) -> None:
    """Say in Redis that it serves `store`, if nobody has said so yet. `client` is a redis-py client.

    Raises BrokerError if it serves another store, StoreError for one without a readable id, redis.RedisError.
    """
    ours = {"id": store_id(store), "folder": str(store.absolute()), "host": socket.gethostname()}
    if client.set(STORE, json.dumps(ours), nx=True):
        return
    theirs = json.loads(client.get(STORE) or json.dumps(ours))
    if theirs["id"] != ours["id"]:
        raise BrokerError(
            f"this Redis serves another store: {theirs['folder']}, as {theirs['host']} named it first, not {store}",
            hint=f"give that store, or this one a database of its own (as redis://host:6379/1); "
            f"if the other is gone for good, delete the key {STORE} there",
        )
