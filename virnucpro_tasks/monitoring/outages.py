"""Lines for the log of a program that looks at a deployment: Redis or the store goes away, and is back."""

from __future__ import annotations

from collections.abc import Iterator

from virnucpro_tasks.monitoring.look import Look


class Outages:
    """Tells each outage of Redis and of the store once when it begins and once when it ends."""

    def __init__(self) -> None:
        self._redis = ""
        self._store_is_away = False

    def lines(self, look: Look) -> Iterator[str]:
        """The lines that are new with this look."""
        redis = "" if not look.redis_error else "full" if look.redis_full else "away"
        if redis and redis != self._redis:
            yield f"warning: {look.redis_error}"
        if self._redis and not redis:
            yield "Redis has room again" if self._redis == "full" else "Redis answers again"
        self._redis = redis
        if look.store_error and not self._store_is_away:
            yield f"warning: the store cannot be read: {look.store_error}"
        if self._store_is_away and not look.store_error:
            yield "the store can be read again"
        self._store_is_away = bool(look.store_error)
