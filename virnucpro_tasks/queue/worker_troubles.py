"""Records in Redis of workers that have died, so that `status`, `watch` and `list` can say why nothing moves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from virnucpro_tasks.errors import printable
from virnucpro_tasks.keys import WORKER_TROUBLES

FRESH_SECONDS = 900.0
"""Older records are not shown: a worker that cannot start dies about once a minute."""

KEPT_SECONDS = 86_400


class Trouble(msgspec.Struct, frozen=True):
    """The last death of the worker `node`, which takes from `queue` ("" for a coordinator)."""

    node: str
    text: str
    hint: str
    queue: str
    at: float

    def described(self, now: float) -> str:
        """Return one line about it; `now` is a time by the clock of Redis."""
        hint = f" ({self.hint})" if self.hint else ""
        return printable(f"worker {self.node}, {max(0.0, now - self.at):.0f} s ago: {self.text}{hint}")


def record_trouble(client: Any, *, node: str, queue: str, text: str, hint: str) -> None:
    """Record that a worker has died. Raises redis.RedisError, as all here do."""
    trouble = Trouble(node, text, hint, queue, _now(client))
    client.hset(WORKER_TROUBLES, node, msgspec.json.encode(trouble))
    client.expire(WORKER_TROUBLES, KEPT_SECONDS)


def clear_trouble(client: Any, node: str) -> None:
    """Remove the record of a worker: it works again."""
    client.hdel(WORKER_TROUBLES, node)


def fresh_troubles(client: Any, queues: Sequence[str] | None = None) -> list[str]:
    """Return a line for each recent death of a coordinator or of a worker of `queues`, or of any worker (None)."""
    troubles = last_troubles(client)
    if not troubles:
        return []
    now = _now(client)
    return [
        trouble.described(now)
        for trouble in troubles
        if now - trouble.at <= FRESH_SECONDS and (queues is None or trouble.queue in (*queues, ""))
    ]


def last_troubles(client: Any) -> list[Trouble]:
    """Return the last death of each worker that has finished no task since, by its name."""
    records = client.hgetall(WORKER_TROUBLES)
    troubles = []
    for node in sorted(records):
        with suppress(msgspec.DecodeError):
            troubles.append(msgspec.json.decode(records[node], type=Trouble))
    return troubles


def _now(client: Any) -> float:
    seconds, microseconds = client.time()
    return float(seconds) + microseconds / 1e6
