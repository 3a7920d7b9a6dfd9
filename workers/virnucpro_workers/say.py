"""Lines of a supervisor, and of a worker that ends before its log begins, on standard error."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from virnucpro_tasks.settings import ENVIRONMENT_PREFIX
from virnucpro_tasks.system.log_lines import JSON, TEXT, json_line

PREFIX = "virnucpro worker"

SUPERVISOR = "supervisor"
"""The process whose lines name no worker."""


class Say:
    """Prints lines in a format of log lines, by default the one of the environment: there may be no settings yet."""

    def __init__(self, log_format: str | None = None, *, process: str = SUPERVISOR) -> None:
        self._format = log_format or os.environ.get(f"{ENVIRONMENT_PREFIX}LOG_FORMAT", TEXT).strip()
        self._process = process
        self._prefix = PREFIX if process == SUPERVISOR else f"{PREFIX} {process}"

    def __call__(self, line: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
        """Print an event."""
        text = f"{self._prefix}: {line}"
        if self._format == JSON:
            text = json_line(line, level=level, process=self._process, logger=PREFIX)
        print(text, file=sys.stderr if stream is None else stream, flush=True)
