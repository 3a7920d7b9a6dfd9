"""Log lines for programs: one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

TEXT, JSON = "text", "json"
"""Formats of log lines."""


def json_line(
    message: str, *, level: str, process: str, logger: str = "", at: float | None = None, **more: str | int | None
) -> str:
    """Return an event as one line of JSON; `at` is a time in seconds since 1970, now by default.

    Of `more`, such as job, shard and exception, what is None is left out.
    """
    when = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    fields: dict[str, Any] = {
        "time": when.isoformat(timespec="milliseconds"),
        "level": level,
        "process": process,
        "logger": logger,
        "message": message,
    }
    return json.dumps(fields | {name: value for name, value in more.items() if value is not None})


class JsonFormatter(logging.Formatter):
    """Makes a JSON line of each record; `facts_of` gives its further fields, such as job and shard."""

    def __init__(
        self, process: str, facts_of: Callable[[logging.LogRecord], dict[str, str | int | None]] = lambda record: {}
    ) -> None:
        super().__init__()
        self._process, self._facts_of = process, facts_of

    def format(self, record: logging.LogRecord) -> str:
        exception = self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else None
        return json_line(
            record.getMessage(),
            level=record.levelname,
            process=self._process,
            logger=record.name,
            at=record.created,
            **self._facts_of(record) | {"exception": exception},
        )


def json_handler(process: str) -> logging.Handler:
    """Return a handler that writes JSON lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process))
    return handler
