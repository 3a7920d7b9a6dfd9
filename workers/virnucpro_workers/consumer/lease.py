"""The lease of a taken message: renewed while its worker lives, so that it can be short.

On Redis a taken message waits in `unacked`. kombu puts it back a fixed time after it was taken, whether its task still
runs or not, and that time is told from the clocks of the workers; here kombu's time is for ever, and leases take its
place. Every worker process says in LEASES which messages it holds, RENEWALS_PER_LEASE times a lease, and looks for
those of which nobody has said so for a whole lease: these go back to their queue. All times are of the clock of Redis.

While nobody looks (Redis is away, or everybody is), leases do not run: workers that come back have one to renew theirs.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from celery import bootsteps
from celery.worker.consumer.consumer import STOP_CONDITIONS

from virnucpro_tasks.keys import LAST_SWEEP, LEASES
from virnucpro_workers.consumer.kombu_internals import drop_orphaned, held_tags, rebind_channel, running_tasks

log = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 4
POLLS_PER_LEASE = 8
LONGEST_POLL_SECONDS = 1.0
"""Between two looks for lapsed leases of one process, at most."""

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
    """Renews the leases of this worker's messages and puts back those that lapsed, in a thread of the parent process.

    In the prefork pool the thread is immune to whatever holds the interpreter lock of the computing child.
    A task that hangs is renewed for ever: tasks need a time limit.

    A lost connection changes nothing: the thread goes on while the consumer has none, for that one waits for up to half
    a minute before it tries again, in which another worker, back sooner, would take what is being computed here. Nor is
    that given back with the old connection, as kombu does if Redis is there again by then; only who stops gives back.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._stopping: threading.Event | None = None
        self._channel: Any = None

    def start(self, parent: Any) -> None:
        lost, self._channel = self._channel, parent.task_consumer.channel
        self._channel.do_restore = False
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
        if parent.blueprint.state in STOP_CONDITIONS:
            self.terminate(parent)

    def terminate(self, parent: Any) -> None:
        if self._channel is not None:
            self._channel.do_restore = True
        if self._stopping is not None:
            self._stopping.set()


def keep_leases(consumer: Any, stopping: threading.Event, *, lease_seconds: float) -> None:
    """Renew the leases of `consumer` and look for lapsed ones until `stopping` is set; outlives Redis outages."""
    connection, failing = None, False
    missed: set[str] = set()
    orphans: set[str] = set()
    renew_at = 0.0
    while not stopping.wait(poll_seconds(lease_seconds)):
        try:
            if connection is None:
                connection = consumer.app.connection_for_read()
                # Otherwise it would wait between its own tries, longer than a lease may be.
                connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            channel = connection.default_channel
            # The own ones first: after a pause of the whole process they may be about to lapse.
            if time.monotonic() >= renew_at:
                renew_at = time.monotonic() + lease_seconds / RENEWALS_PER_LEASE
                missed = _renew_held(consumer, channel, missed)
                orphans = drop_orphaned(consumer, orphans)
            put_back_lapsed(channel, lease_seconds=lease_seconds)
            if failing:
                log.warning("leases are renewed again")
            failing = False
        except Exception as error:
            # Whatever Redis or the network throw: the next round tries afresh on a new connection.
            if not failing:
                log.warning("leases cannot be renewed: %s: %s", type(error).__name__, error)
            failing, renew_at = True, 0.0
            if connection is not None:
                connection.collect(socket_timeout=1)
            connection = None
    if connection is not None:
        connection.collect(socket_timeout=1)


def poll_seconds(lease_seconds: float) -> float:
    """Seconds between two looks of one process for lapsed leases."""
    return min(LONGEST_POLL_SECONDS, lease_seconds / POLLS_PER_LEASE)


def renew(client: Any, index_key: str, tags: set[str]) -> set[str]:
    """Give the messages `tags` a fresh lease from now; returns those that are not taken (any more)."""
    return {bytes(tag).decode() for tag in client.eval(_RENEW, 2, index_key, LEASES, *tags)} if tags else set()


def lapsed(client: Any, index_key: str, *, lease_seconds: float) -> list[str]:
    """The taken messages whose lease has lapsed, which the caller has to put back; each is named to one caller only.

    Should that one die with it, the message has a new lease. Nothing is named if somebody has looked just before.
    """
    throttle = poll_seconds(lease_seconds) / 2
    found = client.eval(_LAPSED, 3, index_key, LEASES, LAST_SWEEP, lease_seconds, throttle)
    return [bytes(tag).decode() for tag in found]


def put_back_lapsed(channel: Any, *, lease_seconds: float) -> None:
    """Put messages of workers that have been silent for a lease back into their queues, where they are next."""
    for tag in lapsed(channel.client, channel.unacked_index_key, lease_seconds=lease_seconds):
        log.warning("no sign of life for %g s from who took message %s: it is queued again", lease_seconds, tag)
        channel.qos.restore_by_tag(tag, client=channel.client)


def _renew_held(consumer: Any, channel: Any, missed: set[str]) -> set[str]:
    """Renew what is held; returns which tasks run without their message, `missed` being those of the last time."""
    lost = renew(channel.client, channel.unacked_index_key, held_tags(consumer))
    running = {tag: name for tag, name in running_tasks().items() if tag in lost}
    # At once it may have been acknowledged this very moment.
    for tag in sorted(running.keys() & missed):
        log.warning("%s has lost its lease and may have been started elsewhere", running[tag])
    return set(running)
