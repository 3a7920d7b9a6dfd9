"""The base of all tasks: refuses what it must not be asked, and survives jobs that are gone."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task
from celery.exceptions import Ignore

from virnucpro_tasks.errors import JobError
from virnucpro_tasks.queue.arguments import ArgumentsError, check_arguments

log = logging.getLogger(__name__)


class MessageReassigned(Ignore):
    """Somebody else has this task's message now: there is no result, and the message is not ours to acknowledge."""


class CheckedTask(Task):
    """A wrong message is logged in one line and dropped; a task of a removed job ends without doing anything."""

    abstract = True

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        try:
            check_arguments(self.name, arguments, options)
        except ArgumentsError as error:
            log.error("message refused: %s", error)
            raise Ignore from None
        try:
            # Not Task.__call__, which would put a request without an id on top of the one that is running.
            return self.run(*arguments, **options)
        except JobError as error:
            log.warning("%s", error)
            return {"job": arguments[0], "state": "stopped"}
