"""Names that users give to jobs: one file a name in the store, with the id of its job.

A name belongs to one job, a job may have several. Names that differ in upper and lower case alone are the same file,
as on file systems that do not tell them apart, so the second of them is refused.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.paths import JobPaths, is_job_id, name_file, names_folder
from virnucpro_tasks.system.file_operations import is_there, make_folder, persistently, read_bytes
from virnucpro_tasks.system.files import store_write_error, write_bytes, write_once

MOST_CHARACTERS = 64
_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9._-]{{0,{MOST_CHARACTERS - 1}}}")


def is_name(text: str) -> bool:
    """Whether `text` can be the name of a job: ids begin with a digit, and @last with @."""
    return _NAME.fullmatch(text) is not None


def checked_name(text: str) -> str:
    """Return `text` if it can be the name of a job. Raises SettingsError."""
    if is_name(text):
        return text
    raise SettingsError(
        f"{ascii(text)[:80]} is no name for a job",
        hint=f"a letter, then letters, digits, '.', '_' and '-'; {MOST_CHARACTERS} characters at most",
    )


def claim_name(store: Path, name: str, job_id: str) -> None:
    """Give `name` to a job. Raises SettingsError if another job of the store has it, StoreError."""
    file, content = name_file(store, name), f"{job_id} {name}\n".encode()
    try:
        make_folder(file.parent)
        with suppress(FileExistsError):
            write_once(file, content)
        found = _read(file)
        if found is None and not os.access(file, os.R_OK):
            raise _taken(name)
        if found is None or not _is_job(store, found[0]):
            # The job that had it is gone.
            write_bytes(file, content)
            return
    except PermissionError as error:
        if is_there(file):
            # In a folder with the sticky bit the note of another user stays, even after that job.
            raise _taken(name) from None
        raise store_write_error(error, file) from error
    except OSError as error:
        raise store_write_error(error, file) from error
    if found != (job_id, name):
        raise SettingsError(
            f"the name {name} is taken: job {found[0]} is called {found[1]}",
            hint="choose another one, or remove that job",
        )


def _taken(name: str) -> SettingsError:
    return SettingsError(f"the name {name} is taken by a job of another user", hint="choose another one")


def job_named(store: Path, name: str) -> str | None:
    """The id of the job that is called `name`; None if there is none."""
    found = _read(name_file(store, name))
    return found[0] if found is not None and found[1] == name and _is_job(store, found[0]) else None


def nearly_named(store: Path, name: str) -> tuple[str, str] | None:
    """The id and the name of the job whose name differs from `name` in upper and lower case alone."""
    found = _read(name_file(store, name))
    return found if found is not None and found[1] != name and _is_job(store, found[0]) else None


def names_of_jobs(store: Path) -> Mapping[str, list[str]]:
    """The names of each job that has any, by job id."""
    names: dict[str, list[str]] = defaultdict(list)
    for file in _files(store):
        if (found := _read(file)) is not None:
            names[found[0]].append(found[1])
    return {job_id: sorted(given) for job_id, given in names.items()}


def free_names(store: Path, job_id: str) -> None:
    """Take its names from a job that is removed; one that stays behind is free all the same."""
    for file in _files(store):
        with suppress(OSError):
            if (found := _read(file)) is not None and found[0] == job_id:
                persistently(partial(file.unlink, missing_ok=True))


def _files(store: Path) -> list[Path]:
    with suppress(OSError):
        return persistently(lambda: sorted(file for file in names_folder(store).iterdir() if is_name(file.name)))
    return []


def _read(file: Path) -> tuple[str, str] | None:
    """The job id and the name in `file`; None if it is missing or says neither."""
    try:
        job_id, _, name = read_bytes(file).decode(errors="replace").strip().partition(" ")
    except OSError:
        return None
    return (job_id, name) if is_job_id(job_id) and is_name(name) else None


def _is_job(store: Path, job_id: str) -> bool:
    try:
        return is_there(JobPaths.of(store, job_id).job)
    except PermissionError:
        # It is there, and closed to this user.
        return True
