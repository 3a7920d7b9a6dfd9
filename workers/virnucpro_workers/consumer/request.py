"""What the parent of a computing process knows and its child cannot tell: how the child ended."""

from __future__ import annotations

import logging
import os
import re
import socket
from typing import Any

from billiard.exceptions import WorkerLostError
from celery.worker.request import Request
from celery.worker.state import task_ready
from kombu.transport import virtual

from virnucpro_tasks.errors import JobError
from virnucpro_tasks.paths import FINISHING, SPLITTING, JobPaths
from virnucpro_tasks.queue.checked_task import MessageReassigned
from virnucpro_tasks.recovery.attempts import open_attempt, read_attempts, record

log = logging.getLogger(__name__)

_SIGNAL = re.compile(r"signal \d+ \((?P<name>SIG\w+)\)")
STEPS = {"virnucpro.split_job": SPLITTING, "virnucpro.finish_job": FINISHING}
"""What a task without a shard does to its job."""

TIME_LIMIT = "time limit"

_STATUS = re.compile(r"exitcode (?P<status>\d+)")


class CountedRequest(Request):
    """A request of a task that notes in its attempts file how its process died, or was stopped."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:  # noqa: FBT001, FBT002
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, MessageReassigned):
            task_ready(self)
            return self._let_go()
        if isinstance(error, WorkerLostError | SystemExit):
            # Before the message goes back: whoever takes it next reads the file.
            self._note(self._already_cancelled, str(error))
            if self.app.on_lost_child is not None:
                self.app.on_lost_child()
        return super().on_failure(exc_info, send_failed_event, return_ok)

    def on_timeout(self, soft: Any, timeout: Any) -> None:
        if not soft:
            self._note(False, TIME_LIMIT)
        super().on_timeout(soft, timeout)

    def cancel(self, *arguments: Any, **options: Any) -> Any:
        self._note(True, "")
        return super().cancel(*arguments, **options)

    def _let_go(self) -> None:
        """Forget the message here, so that the next one can be taken; in Redis it is of whoever has it now."""
        # The part of an acknowledgement that kombu does in this process alone.
        virtual.QoS.ack(self.message.channel.qos, self.message.delivery_tag)
        self.acknowledged = True

    def _note(self, handed_back: object, how: str) -> None:
        try:
            paths = JobPaths.of(self.app.settings.store, self.args[0])
            file = paths.attempts(int(self.args[1])) if self.args[1:] else paths.stage_attempts(STEPS[self.name])
            attempt = open_attempt(read_attempts(file), host=socket.gethostname(), parent=os.getpid())
            if attempt is not None:
                facts = {"handed_back": True} if handed_back else {"failed": death(how, attempt.get("limit_seconds"))}
                record(file, attempt["step"], pid=attempt["pid"], **facts)
        except (OSError, JobError, TypeError, ValueError, LookupError) as error:
            log.warning("how %s ended cannot be noted: %s", self.id, error)


def death(how: str, limit_seconds: float | None) -> str:
    """`how` a process was lost, as billiard says it, for the reason of a quarantined record."""
    found = _SIGNAL.search(how)
    if limit_seconds is not None and (how == TIME_LIMIT or (found and found["name"] == "SIGALRM")):
        return f"no result within {limit_seconds:g} s"
    if found:
        return f"its worker was killed by {found['name']}"
    if found := _STATUS.search(how):
        return f"its worker ended with status {found['status']}"
    return "its worker died"
