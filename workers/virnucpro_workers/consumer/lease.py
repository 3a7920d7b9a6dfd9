"""Leases of taken messages: a worker renews them while it lives, and messages of dead workers are queued again.

On Redis a taken message waits in the hash `unacked`. kombu's own visibility timeout puts it back a fixed time after it
was taken, even if its task still runs, and compares clocks of different hosts. Here that timeout is practically
infinite, and leases replace it. Each worker process writes the messages that it holds to LEASES, RENEWALS_PER_LEASE
times per lease, and requeues messages that nobody has renewed for a whole lease. All times are of the clock of Redis.

While no worker polls (because Redis or all workers are away) leases do not expire: workers that come back have a whole
lease to renew theirs.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import suppress
from typing import Any

from celery import bootsteps

from virnucpro_tasks.keys import LAST_SWEEP, LEASES, UNACKED
from virnucpro_tasks.queue.app import CONNECT_SECONDS
from virnucpro_workers.consumer.kombu_internals import (
    drop_orphaned,
    held_tags,
    is_stopping,
    rebind_channel,
    requeue,
    requeue_on_close,
    running_tasks,
    unacked_index,
)
from virnucpro_workers.log import subject_from_text

log = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 4
POLLS_PER_LEASE = 8
LONGEST_POLL_SECONDS = 1.0
"""Longest time between two polls of one process for lapsed leases."""

LEASES_LOST, LEASES_BACK = "leases cannot be renewed: %s: %s", "leases are renewed again"

_NOW = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
"""

_RENEW = f"""{_NOW}
local lost = {{}}
for _, tag in ipairs(ARGV) do
    if redis.call('ZSCORE', KEYS[1], tag) then
        redis.call('ZADD', KEYS[2], string.format('%.3f', now), tag)
    else
        lost[#lost + 1] = tag
    end
end
return lost
"""

_LAPSED = f"""{_NOW}
local lease = tonumber(ARGV[1])
local gap = now - tonumber(redis.call('GET', KEYS[3]) or '0')
if gap >= 0 and gap < tonumber(ARGV[2]) then return {{}} end
redis.call('SET', KEYS[3], string.format('%.3f', now))
local lapsed = {{}}
local held = redis.call('ZRANGE', KEYS[1], 0, -1)
for _, tag in ipairs(held) do
    local renewed = redis.call('ZSCORE', KEYS[2], tag)
    if not renewed or gap < 0 or gap > lease / 2 then
        redis.call('ZADD', KEYS[2], string.format('%.3f', now), tag)
    elseif now - tonumber(renewed) > lease then
        redis.call('ZREM', KEYS[2], tag)
        lapsed[#lapsed + 1] = tag
    end
end
if redis.call('ZCARD', KEYS[2]) > #held - #lapsed then
    for _, tag in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
        if not redis.call('ZSCORE', KEYS[1], tag) then redis.call('ZREM', KEYS[2], tag) end
    end
end
return lapsed
"""


class LeaseKeeper(bootsteps.StartStopStep):
    """Renews the leases of this worker's messages and requeues lapsed ones, in a thread of the parent process.

    The thread is independent of the interpreter lock of the computing child. It renews the lease of a task that hangs
    for ever: tasks need a time limit.

    The thread goes on while the consumer has no connection. The consumer reconnects only after up to half a minute, and
    by then another worker would have taken the shard that is being computed here. For the same reason the messages of a
    lost connection are not requeued when it is closed; only a worker that stops requeues its messages.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._stopping: threading.Event | None = None
        self._channel: Any = None

    def start(self, parent: Any) -> None:
        lost, self._channel = self._channel, parent.task_consumer.channel
        requeue_on_close(self._channel, enabled=False)
        if lost is not None:
            rebind_channel(lost, self._channel)
        if self._stopping is not None:
            return
        self._stopping = threading.Event()
        threading.Thread(
            target=keep_leases,
            args=(parent, self._stopping),
            kwargs={"lease_seconds": parent.app.settings.lease_seconds},
            name="lease-keeper",
            daemon=True,
        ).start()

    def stop(self, parent: Any) -> None:
        if is_stopping(parent):
            self.terminate(parent)

    def terminate(self, parent: Any) -> None:
        if self._channel is not None:
            requeue_on_close(self._channel, enabled=True)
        if self._stopping is not None:
            self._stopping.set()


def keep_leases(consumer: Any, stopping: threading.Event, *, lease_seconds: float) -> None:
    """Renew the leases of `consumer` and requeue lapsed ones until `stopping` is set; survives Redis outages."""
    connection, failing = None, False
    missed: set[str] = set()
    orphans: set[str] = set()
    renew_at = 0.0
    while not stopping.wait(poll_seconds(lease_seconds)):
        try:
            if connection is None:
                connection = consumer.app.connection_for_read(transport_options=time_limits(lease_seconds))
                # Without pauses between attempts, which can be longer than a lease.
                connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            channel = connection.default_channel
            # Its own leases first: after a pause of the whole process they may be about to lapse.
            if time.monotonic() >= renew_at:
                renew_at = time.monotonic() + lease_seconds / RENEWALS_PER_LEASE
                missed = _renew_held(consumer, channel, missed)
                orphans = drop_orphaned(consumer, orphans)
            requeue_lapsed(channel, lease_seconds=lease_seconds)
            if failing:
                log.warning(LEASES_BACK)
            failing = False
        except Exception as error:
            # Redis or the network may raise anything: the next round starts afresh on a new connection.
            if not failing:
                log.warning(LEASES_LOST, type(error).__name__, error)
            failing, renew_at = True, 0.0
            if connection is not None:
                connection.collect(socket_timeout=1)
            connection = None
    if connection is not None:
        connection.collect(socket_timeout=1)


def time_limits(lease_seconds: float) -> dict[str, float]:
    """Return options of a connection that fails when a network drops everything, rather than wait for minutes."""
    return {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": max(CONNECT_SECONDS, lease_seconds)}


def poll_seconds(lease_seconds: float) -> float:
    """Return the seconds between two polls of one process for lapsed leases."""
    return min(LONGEST_POLL_SECONDS, lease_seconds / POLLS_PER_LEASE)


def renew(client: Any, index_key: str, tags: set[str]) -> set[str]:
    """Renew the leases of the messages `tags`; returns those that are no longer taken."""
    return {bytes(tag).decode() for tag in client.eval(_RENEW, 2, index_key, LEASES, *tags)} if tags else set()


def lapsed(client: Any, index_key: str, *, lease_seconds: float) -> list[str]:
    """Return the taken messages whose lease has lapsed, each to one caller only, which has to requeue them.

    If that caller dies before it does, the message has a new lease that lapses in turn. Returns nothing if another
    process has polled a moment ago.
    """
    throttle = poll_seconds(lease_seconds) / 2
    found = client.eval(_LAPSED, 3, index_key, LEASES, LAST_SWEEP, lease_seconds, throttle)
    return [bytes(tag).decode() for tag in found]


def requeue_lapsed(channel: Any, *, lease_seconds: float) -> None:
    """Put messages of workers that have been silent for a lease back into their queues, where they are next."""
    for tag in lapsed(channel.client, unacked_index(channel), lease_seconds=lease_seconds):
        message = "%sno sign of life for %g s from the worker of message %s: it is queued again"
        log.warning(message, _about(channel.client, tag), lease_seconds, tag)
        requeue(channel, tag)


def _about(client: Any, tag: str) -> str:
    """The job and the shard of a taken message, with a space behind them; "" if it does not say."""
    held = client.hget(UNACKED, tag)
    with suppress(ValueError, TypeError, LookupError, AttributeError):
        if (subject := subject_from_text(json.loads(held)[0]["headers"]["argsrepr"])) is not None:
            return f"{subject} "
    return ""


def _renew_held(consumer: Any, channel: Any, missed: set[str]) -> set[str]:
    """Renew the held messages; returns the running tasks whose message is gone. Warns of those already in `missed`."""
    lost = renew(channel.client, unacked_index(channel), held_tags(consumer))
    running = {tag: name for tag, name in running_tasks().items() if tag in lost}
    # Only at the second time: at the first it may have been acknowledged this very moment.
    for tag in sorted(running.keys() & missed):
        log.warning("%s has lost its lease and may have been started elsewhere", running[tag])
    return set(running)
