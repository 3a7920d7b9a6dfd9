"""Records in the attempts file how a computing process ended, which only its parent process knows."""

from __future__ import annotations

import logging
from typing import Any

from billiard.exceptions import WorkerLostError
from celery.worker.request import Request

from virnucpro_tasks.errors import JobError
from virnucpro_tasks.paths import FINISHING, SPLITTING, JobPaths
from virnucpro_tasks.queue.outcomes import MessageReassigned
from virnucpro_tasks.recovery.attempt import end_lost_attempt
from virnucpro_workers.consumer.kombu_internals import exit_signal, exit_status, let_go, was_cancelled

log = logging.getLogger(__name__)

STAGES = {"virnucpro.split_job": SPLITTING, "virnucpro.finish_job": FINISHING}
"""The stage of each task that has no shard."""

TIME_LIMIT = "time limit"


class CountedRequest(Request):
    """A Celery request that records in the attempts file of its task that the process died or was stopped."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:  # noqa: FBT001, FBT002
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, MessageReassigned):
            let_go(self)
            return None
        if isinstance(error, WorkerLostError | SystemExit):
            # Before the message goes back: the worker that takes it next reads the file.
            self._record_end(str(error), handed_back=was_cancelled(self))
            if self.app.on_lost_child is not None:
                self.app.on_lost_child()
        return super().on_failure(exc_info, send_failed_event, return_ok)

    def on_timeout(self, soft: Any, timeout: Any) -> None:
        if not soft:
            self._record_end(TIME_LIMIT, handed_back=False)
        super().on_timeout(soft, timeout)

    def cancel(self, *arguments: Any, **options: Any) -> Any:
        self._record_end("", handed_back=True)
        return super().cancel(*arguments, **options)

    def _record_end(self, how: str, *, handed_back: bool) -> None:
        """End the attempt that this process left open, as failed unless it was handed back."""
        try:
            paths = JobPaths.of(self.app.settings.store, self.args[0])
            file = paths.attempts(int(self.args[1])) if self.args[1:] else paths.stage_attempts(STAGES[self.name])
            end_lost_attempt(file, None if handed_back else lambda began: death(how, began.limit_seconds))
        except (OSError, JobError, TypeError, ValueError, LookupError) as error:
            log.warning("how %s ended cannot be recorded: %s", self.id, error)


def death(how: str, limit_seconds: float | None) -> str:
    """Return the reason of a quarantine from billiard's words for the death of a process, or TIME_LIMIT."""
    signal = exit_signal(how)
    if limit_seconds is not None and (how == TIME_LIMIT or signal == "SIGALRM"):
        return f"no result within {limit_seconds:g} s"
    if signal is not None:
        return f"its worker was killed by {signal}"
    status = exit_status(how)
    return "its worker died" if status is None else f"its worker ended with status {status}"
