"""The file of the global --log-file: all that a command says, and what its workers log, each line with its time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from virnucpro_tasks.errors import SettingsError, printable
from virnucpro_tasks.system.file_errors import cause_of

if TYPE_CHECKING:
    import logging

NAME = "virnucpro"
FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
"""The format of earlier versions: time, logger, level and message."""

_TIME = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]")

_open: list[logging.Logger] = []
"""The log of this process, if it has one."""


def open_log(path: Path) -> None:
    """Append what is said from now on to the file `path`. Raises SettingsError if it cannot be written."""
    # Imported here: most commands log nothing.
    import logging

    close_log()
    try:
        if _is_of_others(path):
            raise SettingsError(
                f"--log-file {path} exists already, and is no log", hint="name another file: it would be appended to"
            )
        handler = logging.FileHandler(path, encoding="utf-8", errors="replace")
    except OSError as error:
        cause = cause_of(error, path)
        raise SettingsError(f"--log-file {path} cannot be written: {cause.words}", hint=cause.advice) from None
    # A log that can no longer be written, as on a full disk, is no reason to lose the results.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    handler.setFormatter(logging.Formatter(FORMAT))
    logger = logging.Logger(NAME, logging.DEBUG)
    logger.addHandler(handler)
    _open.append(logger)


def _is_of_others(path: Path) -> bool:
    """Whether `path` is a file with other content than lines that begin with a time, such as sequences."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(len("0000-00-00 "))
    return bool(start) and _TIME.fullmatch(start) is None


def close_log() -> None:
    """Close the log, if there is one."""
    while _open:
        for handler in _open.pop().handlers:
            handler.close()


def has_log() -> bool:
    """Whether there is a file to log to."""
    return bool(_open)


def log(text: str, *, level: str = "INFO") -> None:
    """Append a line with a `level` of `logging`, by name, to the log, if there is one."""
    for logger in _open:
        import logging

        logger.log(logging.getLevelNamesMapping()[level], "%s", printable(text))
