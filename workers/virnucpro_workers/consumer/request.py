"""Records in the attempts file how a computing process ended, which only its parent process knows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, ClassVar

from billiard.exceptions import WorkerLostError
from celery.worker.request import Request

from virnucpro_tasks.errors import JobError
from virnucpro_tasks.paths import FINISHING, SPLITTING, JobPaths
from virnucpro_tasks.queue.arguments import subject_of
from virnucpro_tasks.queue.outcomes import MessageReassigned
from virnucpro_tasks.recovery.attempt import end_lost_attempt
from virnucpro_tasks.recovery.events import Began
from virnucpro_workers.consumer.kombu_internals import exit_signal, exit_status, let_go, was_cancelled
from virnucpro_workers.log import Subjects
from virnucpro_workers.process_watch import ProcessWatch

log = logging.getLogger(__name__)

STAGES = {"virnucpro.split_job": SPLITTING, "virnucpro.finish_job": FINISHING}
"""The stage of each task that has no shard."""

TIME_LIMIT = "time limit"


class CountedRequest(Request):
    """A Celery request that records in the attempts file of its task that the process died or was stopped."""

    watch: ClassVar[ProcessWatch | None] = None
    """The watch for a hang of the computing process of this worker."""

    subjects: ClassVar[Subjects] = Subjects()
    """The jobs and shards that lines of the log name."""

    def info(self, safe: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """Return what Celery tells of a running task, with two times by the clock of this host alone."""
        started = self.time_start
        return super().info(safe) | {
            "running_seconds": None if started is None else max(0.0, time.time() - started),
            "quiet_seconds": None if self.watch is None else self.watch.quiet_seconds,
        }

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:  # noqa: FBT001, FBT002
        with self.subjects.about(subject_of(self.args)):
            return self._on_failure(exc_info, send_failed_event, return_ok)

    def _on_failure(self, exc_info: Any, send_failed_event: bool, return_ok: bool) -> Any:  # noqa: FBT001
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, MessageReassigned):
            let_go(self)
            return None
        if isinstance(error, WorkerLostError | SystemExit):
            hang = None if self.watch is None else self.watch.hang_of(self.worker_pid)
            # Before the message goes back: the worker that takes it next reads the file.
            if was_cancelled(self) or (hang is not None and hang.is_stopped):
                self._record_end(None)
            elif hang is not None:
                self._record_end(lambda began: hang.reason)
            else:
                self._record_end(lambda began: death(str(error), began.limit_seconds))
            if self.app.on_lost_child is not None:
                self.app.on_lost_child()
        return super().on_failure(exc_info, send_failed_event, return_ok)

    def on_timeout(self, soft: Any, timeout: Any) -> None:
        with self.subjects.about(subject_of(self.args)):
            if not soft:
                self._record_end(lambda began: death(TIME_LIMIT, began.limit_seconds))
            super().on_timeout(soft, timeout)

    def cancel(self, *arguments: Any, **options: Any) -> Any:
        self._record_end(None)
        return super().cancel(*arguments, **options)

    def _record_end(self, reason_of: Callable[[Began], str] | None) -> None:
        """End the attempt that the computing process left open, as failed for a reason, or handed back (None)."""
        try:
            paths = JobPaths.of(self.app.settings.store, self.args[0])
            file = paths.attempts(int(self.args[1])) if self.args[1:] else paths.stage_attempts(STAGES[self.name])
            end_lost_attempt(file, reason_of)
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
