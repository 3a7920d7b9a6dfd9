"""Looks whether the named inputs are there, can be read and differ, before any work."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from errno import EACCES
from pathlib import Path

from virnucpro_tasks.errors import InputError, SettingsError
from virnucpro_tasks.jobs.staging import STANDARD_INPUT, STANDARD_INPUT_NAME, unreadable
from virnucpro_tasks.system.file_operations import persistently

NAMED = 10
"""Files of one kind of error that a message names."""


def require_inputs(inputs: Sequence[Path]) -> None:
    """Raise one error for all inputs that are missing, folders or unreadable, or that are a pipe and given twice.

    Raises SettingsError if there is no input at all, InputError otherwise.
    """
    if not inputs:
        raise SettingsError("no input file is given", hint="name FASTA, FASTQ or BAM files, or '-' for standard input")
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in dict.fromkeys(inputs):
        error = input_problem(path)
        if error is not None:
            found[error.what, error.hint].append(str(path))
    if found:
        raise _joined(found)
    read_once = [path for path in inputs if _can_be_read_once(path)]
    for _, second in repeated_inputs(read_once):
        raise InputError("can be read only once", file=_name(second), hint="name it once")


def repeated_inputs(inputs: Sequence[Path]) -> list[tuple[Path, Path]]:
    """The inputs that are a file given before, by whatever name, each with the first name of that file."""
    first: dict[tuple[int, int], Path] = {}
    repeated = []
    for path in inputs:
        with suppress(OSError, ValueError):
            status = _status(path)
            identity = (status.st_dev, status.st_ino)
            if identity in first:
                repeated.append((first[identity], path))
            first.setdefault(identity, path)
    return repeated


def _status(path: Path) -> os.stat_result:
    return os.fstat(0) if path == STANDARD_INPUT else persistently(path.stat)


def _can_be_read_once(path: Path) -> bool:
    """Whether this is standard input or a pipe, whatever its name."""
    if path == STANDARD_INPUT:
        return True
    mode = persistently(path.stat).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def input_problem(path: Path) -> InputError | None:
    """The error of an input that cannot be opened; pipes are not opened, since that may wait for their other end."""
    if path == STANDARD_INPUT:
        return None
    try:
        if stat.S_ISDIR(persistently(path.stat).st_mode):
            return InputError("is a folder", file=str(path), hint="give its files")
        persistently(path.stat)
        if not os.access(path, os.R_OK):
            raise PermissionError(EACCES, os.strerror(EACCES), str(path))
    except (OSError, ValueError) as error:
        return unreadable(error, str(path))
    return None


def _joined(found: dict[tuple[str, str], list[str]]) -> InputError:
    """One error for several kinds, each with its files."""
    parts = [(_names(files), what, hint) for (what, hint), files in found.items()]
    (file, what, hint), others = parts[0], parts[1:]
    what += "".join(f"; {names}: {other}{f' ({advice})' if advice else ''}" for names, other, advice in others)
    return InputError(what, file=file, hint="" if others else hint)


def _names(files: Sequence[str]) -> str:
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return ", ".join(files[:NAMED]) + more


def _name(path: Path) -> str:
    return STANDARD_INPUT_NAME if path == STANDARD_INPUT else str(path)
