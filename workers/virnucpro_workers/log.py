"""The log of a worker: each line names the worker, and the job and the shard that it is about."""

from __future__ import annotations

import ast
import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery.signals import after_setup_logger, after_setup_task_logger, task_postrun, task_prerun, task_received
from celery.utils.log import ColorFormatter

from virnucpro_tasks.queue.arguments import Subject, subject_of
from virnucpro_tasks.system.log_lines import JSON, JsonFormatter

TEXT_FORMAT = "[%(asctime)s: %(levelname)s/%(worker)s] %(subject)s%(message)s"

MOST_REMEMBERED = 1_000
"""Tasks whose subjects are known by their ids, and by those of their messages."""

MOST_CHARACTERS = 500
"""Longer text of arguments is of nobody's task."""

_NAMED = re.compile(r"\bjob=(?P<job>[0-9a-z-]+)(?: shard=(?P<shard>[0-9]+))?")
_SHOWN = re.compile(r"shard=(?P<shard>[0-9]+) owner=\S+ job=(?P<job>[0-9a-z-]+)")
_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_POOL_LOGGER = "multiprocessing"


class Subjects:
    """Finds the job and the shard of a log record: those it names, else those of its task, else those of `running`."""

    def __init__(self, running: Callable[[], Subject | None] = lambda: None) -> None:
        self._running = running
        self._by_id: OrderedDict[str, Subject] = OrderedDict()
        self._current: Subject | None = None

    def of(self, record: logging.LogRecord) -> Subject | None:
        """Return the subject of a record; None if it has none."""
        text = record.getMessage()
        known = self._of_task(record, text)
        named = _NAMED.search(text)
        if named is None or (known is not None and known.job == named["job"] and named["shard"] is None):
            return known
        return Subject(named["job"], None if named["shard"] is None else int(named["shard"]))

    def remember(self, subject: Subject | None, *ids: str) -> None:
        """Keep the subject of a task by its ids."""
        if subject is None:
            return
        for found in ids:
            self._by_id[found] = subject
        while len(self._by_id) > MOST_REMEMBERED:
            self._by_id.popitem(last=False)

    @contextmanager
    def about(self, subject: Subject | None) -> Iterator[None]:
        """All records of the block that name nothing else are about `subject`."""
        before, self._current = self._current, subject
        try:
            yield
        finally:
            self._current = before

    def begin(self, subject: Subject | None) -> None:
        """In a computing process: what follows is about a task, until the next call."""
        self._current = subject

    def _of_task(self, record: logging.LogRecord, text: str) -> Subject | None:
        data = getattr(record, "data", None)
        if isinstance(data, dict) and (subject := subject_from_text(data.get("args"))) is not None:
            self.remember(subject, str(data.get("id")))
            return subject
        found = next((self._by_id[name] for name in _ID.findall(text) if name in self._by_id), None)
        if found is not None or self._current is not None:
            return found or self._current
        return self._running() if record.name == _POOL_LOGGER else None


class TextFormatter(ColorFormatter):
    """Celery's lines with the name of the worker, and the subject before each message that does not name it."""

    def __init__(self, worker: str, subjects: Subjects, *, use_color: bool) -> None:
        super().__init__(TEXT_FORMAT, use_color=use_color)
        self._worker, self._subjects = worker, subjects

    def formatMessage(self, record: logging.LogRecord) -> str:
        subject = self._subjects.of(record)
        record.worker, record.subject = self._worker, ""
        if subject is not None and str(subject) not in record.message:
            # A message that names the job alone gets the shard beside it.
            job = f"job={subject.job}"
            if job in record.message:
                record.message = record.message.replace(job, str(subject), 1)
            else:
                record.subject = f"{subject} "
        return super().formatMessage(record)


def set_up_log(worker: str, log_format: str, subjects: Subjects, *filters: logging.Filter) -> None:
    """Format the lines of this process, and of its children, once Celery has set up its log."""

    def set_up(logger: logging.Logger, colorize: bool | None = None, **_: Any) -> None:  # noqa: FBT001
        for handler in (*logger.handlers, *logging.getLogger(_POOL_LOGGER).handlers):
            handler.setFormatter(
                JsonFormatter(worker, lambda record: facts(subjects, record))
                if log_format == JSON
                else TextFormatter(worker, subjects, use_color=bool(colorize))
            )
            for one in filters:
                handler.addFilter(one)

    after_setup_logger.connect(set_up, weak=False)
    after_setup_task_logger.connect(set_up, weak=False)
    task_received.connect(lambda request, **_: _remember(subjects, request), weak=False)
    task_prerun.connect(lambda args, **_: subjects.begin(subject_of(args)), weak=False)
    task_postrun.connect(lambda **_: subjects.begin(None), weak=False)


def facts(subjects: Subjects, record: logging.LogRecord) -> dict[str, str | int | None]:
    """Return the fields of a JSON line that say what it is about."""
    subject = subjects.of(record)
    return {} if subject is None else {"job": subject.job, "shard": subject.shard}


def _remember(subjects: Subjects, request: Any) -> None:
    subjects.remember(subject_of(request.args), request.id, str(request.message.delivery_tag))


def subject_from_text(arguments: object) -> Subject | None:
    """Return the subject from the text of a task's arguments, which anybody may have put into a message; else None.

    A shard says `shard=… owner=… job=…` there, for Flower; other tasks have the arguments themselves.
    """
    if not isinstance(arguments, str) or len(arguments) > MOST_CHARACTERS:
        return None
    if (shown := _SHOWN.fullmatch(arguments)) is not None:
        return subject_of([shown["job"], int(shown["shard"])])
    try:
        return subject_of(ast.literal_eval(arguments))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None
