"""The kinds of fault of a drill. Each function injects one and returns the shards it hit, or None if it could not."""

from __future__ import annotations

from collections.abc import Callable

from virnucpro_tasks.chaos import process_faults as of_process
from virnucpro_tasks.chaos import redis_faults as of_redis
from virnucpro_tasks.chaos import store_faults as of_store
from virnucpro_tasks.chaos.scene import Hit, Scene

FAULTS: dict[str, Callable[[Scene], Hit]] = {
    function.__name__: function
    for function in (
        *(of_process.kill_child, of_process.kill_worker, of_process.kill_coordinator, of_process.stop_child),
        *(of_process.freeze_worker, of_process.lose_host, of_process.late_joiner, of_process.early_leaver),
        of_process.change_version,
        *(of_redis.restart_redis, of_redis.redis_outage, of_redis.cut_connections, of_redis.empty_redis),
        *(of_redis.fill_redis, of_redis.deliver_twice),
        *(of_store.flip_bit, of_store.truncate, of_store.fill_store, of_store.lose_store),
    )
}
