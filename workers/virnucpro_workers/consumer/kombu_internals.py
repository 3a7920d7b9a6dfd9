"""All uses of private names of Celery, kombu and billiard, and nothing else.

They were read in celery 5.7.0, kombu 5.7.0 and billiard 4.3.2. Each function names what it relies on and what breaks if
that changes. A new version of one of the three needs this file read again; `tests/test_layers.py` keeps the names out
of every other file.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

import billiard
from celery.apps import worker as celery_worker
from celery.backends.redis import RedisBackend
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool
from celery.worker import state
from celery.worker.consumer.consumer import CONNECTION_ERROR, CONNECTION_RETRY, STOP_CONDITIONS
from kombu.transport import virtual
from kombu.transport.redis import Channel

from virnucpro_tasks.queue.arguments import subject_of

log = logging.getLogger(__name__)

CONSUMER_LOGGER = "celery.worker.consumer.consumer"
WORKER_LOGGER = "celery.worker.worker"
TRANSPORT_LOGGER = "kombu.transport.redis"
POLL_SECONDS = 0.1
SETTLE_SECONDS = 1.0
"""A process is at no task if it was at none for so long: it has just taken one, or gives Redis the result."""
_CANCEL_SETTING = "worker_cancel_long_running_tasks_on_connection_loss"
_SIGNAL = re.compile(r"signal \d+ \((?P<name>SIG\w+)\)")
_STATUS = re.compile(r"exitcode (?P<status>\d+)")


def held_tags(consumer: Any) -> set[str]:
    """Return the delivery tags of all messages that this worker has taken and not acknowledged, or is running.

    kombu: `QoS._delivered`, `QoS._dirty`. Otherwise leases are not renewed, and every shard is started twice.
    """
    return _delivered(consumer) | set(running_tasks())


def running_tasks() -> dict[str, str]:
    """Return the job and shard, or name and arguments, of each task that this worker runs, by its message's tag.

    celery: `state.active_requests`. Otherwise the lease of a task that outlives its connection is not renewed.
    """
    return {
        request.message.delivery_tag: str(subject_of(request.args) or f"{request.name}{request.args}")
        for request in list(state.active_requests)
    }


def running_arguments() -> list[Any]:
    """Return the arguments of each task that this worker runs.

    celery: `state.active_requests`. Otherwise logs do not say which shard hung.
    """
    return [request.args for request in list(state.active_requests)]


def is_polling(consumer: Any) -> bool:
    """Return whether a BRPOP for messages is pending.

    kombu, Redis transport: `Channel._in_poll` is the connection of a pending BRPOP. Otherwise an idle worker gives no
    heartbeat, and its supervisor kills it.
    """
    return bool(consumer.task_consumer.channel._in_poll)


def block_for(consumer: Any, seconds: float) -> None:
    """Let the BRPOPs for messages after the pending one block for `seconds` at most.

    kombu, Redis transport: `Channel.brpop_timeout`. Otherwise a worker that has loaded its models takes its first shard
    up to a quarter of a second later.
    """
    consumer.task_consumer.channel.brpop_timeout = seconds


def is_stopping(consumer: Any) -> bool:
    """Return whether the worker itself stops, rather than only its connection.

    celery: `STOP_CONDITIONS`, `blueprint.state`. Otherwise leases end with the first lost connection.
    """
    return consumer.blueprint.state in STOP_CONDITIONS


def requeue_on_close(channel: Any, *, enabled: bool) -> None:
    """Set whether the channel puts its unacknowledged messages back into their queues when it is closed.

    kombu: `Channel.do_restore`. Otherwise a shard that is being computed is started again after each lost connection.
    """
    channel.do_restore = enabled


def rebind_channel(lost: Any, channel: Any) -> None:
    """Move the messages of a channel that was lost with its connection to its successor.

    A task that outlived the connection is then acknowledged on the new channel, and counts towards the prefetch limit
    there, so that no other shard waits behind it.

    kombu: `QoS._delivered`, `virtual.QoS.append`. Otherwise the acknowledgement on a closed channel ends the worker.
    """
    running = running_tasks()
    for tag, message in list(lost.qos._delivered.items()):
        message.channel = channel
        if tag in running:
            # The Redis transport's own `append` would write the message to Redis, where another worker may have it.
            virtual.QoS.append(channel.qos, message, tag)


def drop_orphaned(consumer: Any, known: set[str]) -> set[str]:
    """Drop messages without a task that `known` already contains; return the other messages without a task.

    If Redis fails during an acknowledgement, Celery logs that and goes on, while kombu counts the message as taken and
    takes no other one. The lease of the message lapses, and the worker that gets it finds the work done. A message is
    dropped only at the second sight, because a new one may have been received or acknowledged at this very moment, and
    never while the worker stops, because then it puts its messages back.

    kombu: `QoS._delivered`, `QoS._dirty`, `virtual.QoS.ack`; celery: `state.requests`, `state.should_stop`,
    `state.should_terminate`. Otherwise a worker takes no message after such a failure until it is started again.
    """
    if is_ending():
        return set()
    tasks = {request.message.delivery_tag for request in list(state.requests.values())}
    orphans = _delivered(consumer) - tasks - set(running_tasks())
    for tag in sorted(orphans & known):
        log.warning("message %s belongs to no task here, and Redis did not record that it is done: dropped", tag)
        virtual.QoS.ack(consumer.task_consumer.channel.qos, tag)
    return orphans - known


def let_go(request: Any) -> None:
    """End a request in this process and leave its message in Redis to the worker that has it now.

    This is what Celery and kombu do for an acknowledged message, without the part that deletes it from Redis.

    celery: `state.task_ready`, `Request.acknowledged`; kombu: `virtual.QoS.ack`. Otherwise the worker takes no further
    message, or deletes the message of another worker.
    """
    state.task_ready(request)
    virtual.QoS.ack(request.message.channel.qos, request.message.delivery_tag)
    request.acknowledged = True


def was_cancelled(request: Any) -> bool:
    """Return whether this worker itself ended the process of the request, as it does when it stops.

    celery: `Request._already_cancelled`. Otherwise shards of stopped workers count as failed attempts.
    """
    return bool(request._already_cancelled)


def unacked_index(channel: Any) -> str:
    """Return the key of the sorted set of taken messages.

    kombu, Redis transport: `Channel.unacked_index_key`. Otherwise lapsed leases are not found.
    """
    return str(channel.unacked_index_key)


def requeue(channel: Any, tag: str) -> None:
    """Put a taken message back into its queue, where it is the next one.

    kombu, Redis transport: `QoS.restore_by_tag`. Otherwise shards of dead workers are not started again.
    """
    channel.qos.restore_by_tag(tag, client=channel.client)


def connection_news(record: logging.LogRecord) -> tuple[str, str] | None:
    """Return `lost`, `back` or `noise`, and a reason, for a log record of Celery about the connection to Redis.

    celery: CONNECTION_ERROR, CONNECTION_RETRY and other texts; kombu: what it writes of a connection without an answer.
    Otherwise each attempt to reconnect is a log line.
    """
    arguments = record.args if isinstance(record.args, tuple) else ()
    if record.msg == CONNECTION_ERROR and len(arguments) > 1:
        return "lost", str(arguments[1])
    if CONNECTION_RETRY in arguments:
        return "lost", str(arguments[-1])
    if record.msg == "Connected to %s":
        return "back", ""
    if record.name == "py.warnings" and _CANCEL_SETTING in record.getMessage():
        return "noise", ""
    if record.name == TRANSPORT_LOGGER and str(record.msg).endswith("dropping stale connection"):
        return "noise", ""
    return ("noise", "") if record.name == CONSUMER_LOGGER and str(record.msg).startswith("Skipping prefetch") else None


def exit_signal(message: str) -> str | None:
    """Return the name of the signal that ended a pool process, from the message of its WorkerLostError.

    billiard: `human_status` writes "signal 9 (SIGKILL)". Otherwise reasons of quarantined records are less precise.
    """
    found = _SIGNAL.search(message)
    return found["name"] if found else None


def exit_status(message: str) -> int | None:
    """Return the exit status of a pool process, from the message of its WorkerLostError.

    billiard: `human_status` writes "exitcode 7". Otherwise reasons of quarantined records are less precise.
    """
    found = _STATUS.search(message)
    return int(found["status"]) if found else None


def allow_children() -> None:
    """Let this pool process start processes of its own; those of `ordered_process_map` end with it.

    billiard: `current_process().daemon` is true for pool processes, which the standard library then forbids children.
    Otherwise big jobs cannot be finished.
    """
    billiard.current_process().daemon = False


def report_lost_children(report: Callable[[int], None]) -> None:
    """Call `report` with the return code of each pool process that ends although its worker does not stop.

    It is called in the parent process, before another pool process is started in its place.

    celery: `TaskPool.Pool`, `state.should_stop`, `state.should_terminate`; billiard: `Pool._join_exited_workers`,
    `Pool._pool`. Otherwise pool processes that die while they load models are replaced for ever, and nobody is told.
    """

    class ReportingPool(AsynPool):
        def _join_exited_workers(self, shutdown: bool = False) -> Any:  # noqa: FBT001, FBT002
            stopping = shutdown or state.should_stop is not None or state.should_terminate is not None
            ended = [worker.exitcode for worker in self._pool if worker._popen is not None]
            for status in ended:
                if status is not None and not stopping:
                    report(status)
            return super()._join_exited_workers(shutdown)

    TaskPool.Pool = ReportingPool


def use_client(client: type) -> None:
    """Let the transport and the backend of results of this process use a redis-py client class.

    kombu, Redis transport: `Channel._get_client`; celery: `RedisBackend._get_client`. Otherwise a full Redis ends
    workers, and loses the messages that they take.
    """
    setattr(Channel, "_get_client", lambda self: client)  # noqa: B010
    setattr(RedisBackend, "_get_client", lambda self: client)  # noqa: B010


def stop_after_the_task(worker: Any, *, is_at_task: Callable[[], bool]) -> None:
    """Let a worker that is told to stop wait until its process is at no task, for `soft_shutdown_seconds` at most.

    Celery's own wait is a sleep of that time, in the handler of the signal: results of the process are not read during
    it. So `is_at_task` has to know of the process from elsewhere. A finished task whose message goes back into its
    queue is found done by whoever takes it.

    celery: `WorkController.wait_for_soft_shutdown`, `state.active_requests`. Otherwise a worker that is stopped at a
    task waits for all of the time, however soon the task ends.
    """

    def wait() -> None:
        seconds = worker.app.conf.worker_soft_shutdown_timeout
        if not seconds or not tuple(state.active_requests):
            return
        log.warning("stops when its task ends, or in %g s", seconds)
        now = last_at_task = time.monotonic()
        deadline = now + seconds
        while now < deadline and now - last_at_task < SETTLE_SECONDS:
            time.sleep(POLL_SECONDS)
            now = time.monotonic()
            if is_at_task():
                last_at_task = now

    worker.wait_for_soft_shutdown = wait


def stop_quietly() -> None:
    """Leave out what Celery prints when it stops: lines that are no log, for whoever has Celery in a terminal.

    What ends a worker that is stopped while it starts (its pool is gone before its consumer is there) is told as a
    warning, without a traceback.

    celery: `celery.apps.worker.safe_say`. Otherwise these lines stand between those of the log, also in a log of JSON.
    """
    setattr(celery_worker, "safe_say", lambda *_: None)  # noqa: B010

    def soften(record: logging.LogRecord) -> bool:
        if is_ending() and record.levelno == logging.CRITICAL:
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
            record.msg, record.args = "stopped while it started: " + record.getMessage(), ()
            record.exc_info = record.exc_text = None
        return True

    logging.getLogger(WORKER_LOGGER).addFilter(soften)


def is_ending() -> bool:
    """Return whether a signal told this worker to stop.

    celery: `state.should_stop`, `state.should_terminate`. Otherwise a worker that waits for Redis is killed at its end.
    """
    return state.should_stop is not None or state.should_terminate is not None


def _delivered(consumer: Any) -> set[str]:
    if not consumer.task_consumer:
        return set()
    qos = consumer.task_consumer.channel.qos
    return set(qos._delivered) - qos._dirty
