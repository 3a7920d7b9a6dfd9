"""Writes the one file that a command makes, complete or not at all, and never over what appeared meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from virnucpro_tasks.errors import OutputError
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.files import atomic_path


@contextmanager
def new_file(output: Path, *, force: bool) -> Iterator[Path]:
    """Yield a temporary path beside `output`, which it becomes at the end of the block.

    Raises OutputError if it cannot be written or, without `force`, if another program has made it since it was looked
    for.
    """
    try:
        with atomic_path(output, replace=force) as temporary:
            yield temporary
    except FileExistsError:
        raise OutputError(
            f"{output} exists since this command began: it is not replaced",
            hint="choose another name or use --force",
        ) from None
    except OSError as error:
        cause = cause_of(error, output)
        raise OutputError(f"{output} cannot be written: {cause.words}", hint=cause.advice) from error


def write_new_file(output: Path, content: bytes, *, force: bool) -> None:
    """Write `content` to `output`, as `new_file` does."""
    with new_file(output, force=force) as temporary:
        temporary.write_bytes(content)
