"""Finds the job that a user means: by its id, an unambiguous beginning of it, its name, or @last."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from virnucpro_tasks.errors import JobError, SettingsError, StoreError
from virnucpro_tasks.jobs.job import job_ids, open_job
from virnucpro_tasks.jobs.job_names import is_name, job_named, nearly_named
from virnucpro_tasks.paths import JobPaths, is_job_id
from virnucpro_tasks.system.file_operations import exists, persistently

LAST = "@last"
"""The caller's newest job."""

SURE_CHARACTERS = len("20260101t000000z-aa")
"""A beginning of an id of this length names a job that was meant, not by accident another one."""

_BEGINNING = re.compile(r"\d{1,8}|\d{8}t\d{0,6}|\d{8}t\d{6}z|\d{8}t\d{6}z-[a-z2-7]{0,16}")
_SECONDS = len("20260101t000000z")
_SHOWN = 5


def require_store(store: Path) -> None:
    """Raise StoreError if there is no folder `store`; it is not made."""
    if not exists(store):
        raise StoreError(
            f"there is no store {store}",
            hint="is --store right, or VIRNUCPRO_STORE? 'virnucpro submit' and 'virnucpro worker' make one",
        )
    if not persistently(store.is_dir):
        raise StoreError(f"the store {store} is not a folder", hint="is --store right, or VIRNUCPRO_STORE?")


def find_job(store: Path, wanted: str, *, owner: str, is_final: bool = False) -> str:
    """The id of the job that `wanted` means; `owner` is the caller.

    With `is_final`, for what cannot be taken back, it must be an id, a beginning of SURE_CHARACTERS, or a name.
    Raises StoreError if there is no store, JobError if there is no such job, SettingsError if `wanted` is ambiguous or
    not sure enough.
    """
    require_store(store)
    if is_job_id(wanted):
        return wanted
    if wanted.startswith("@"):
        return _last(store, wanted, owner=owner, is_final=is_final)
    if _BEGINNING.fullmatch(wanted):
        return _beginning_with(store, wanted, is_final=is_final)
    if is_name(wanted) and (found := job_named(store, wanted)) is not None:
        return found
    if is_name(wanted) and (near := nearly_named(store, wanted)) is not None:
        raise JobError("no job has this name", job_id=wanted, hint=f"job {near[0]} is called {near[1]}")
    raise JobError(
        f"this is not a job id, and no name of a job in the store {store}",
        job_id=ascii(wanted)[1:-1][:80],
        hint="see 'virnucpro list'; is --store right?",
    )


def shortest_beginnings(ids: Sequence[str]) -> dict[str, str]:
    """For each of all `ids` of a store, which are sorted, its shortest sure beginning that no other one has."""
    found = {}
    for place, job_id in enumerate(ids):
        neighbours = [*ids[max(0, place - 1) : place], *ids[place + 1 : place + 2]]
        length = SURE_CHARACTERS
        while any(other[:length] == job_id[:length] for other in neighbours):
            length += 1
        found[job_id] = job_id[:length]
    return found


def _last(store: Path, wanted: str, *, owner: str, is_final: bool) -> str:
    if wanted != LAST:
        raise SettingsError(f"{ascii(wanted)[1:-1][:80]} is no job", hint=f"{LAST} is your newest one")
    found = _newest(store, owner)
    if found is None:
        raise JobError(f"{owner} has no job in the store {store}", job_id=LAST, hint="see 'virnucpro list'")
    if is_final:
        raise SettingsError(
            f"{LAST} is not sure enough here: it may be another job by now", hint=f"{found} is your newest one"
        )
    return found


def _newest(store: Path, owner: str) -> str | None:
    """The newest job of `owner`; of those of one second the one that was written last."""
    newest: list[str] = []
    for job_id in reversed(job_ids(store)):
        if newest and job_id[:_SECONDS] != newest[0][:_SECONDS]:
            break
        with suppress(JobError):
            if open_job(store, job_id).spec.owner == owner:
                newest.append(job_id)
    return max(newest, key=lambda job_id: _written(store, job_id), default=None)


def _written(store: Path, job_id: str) -> int:
    with suppress(OSError):
        return persistently(JobPaths.of(store, job_id).job.stat).st_mtime_ns
    return 0


def _beginning_with(store: Path, wanted: str, *, is_final: bool) -> str:
    found = [job_id for job_id in job_ids(store) if job_id.startswith(wanted)]
    if not found:
        raise JobError(
            f"no id in the store {store} begins so", job_id=wanted, hint="see 'virnucpro list'; is --store right?"
        )
    if len(found) > 1:
        more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        raise SettingsError(
            f"{wanted} is the beginning of several jobs: {', '.join(found[-_SHOWN:])}{more}",
            hint="give more characters; see 'virnucpro list'",
        )
    if is_final and len(wanted) < SURE_CHARACTERS:
        raise SettingsError(
            f"{wanted} is too short here to be sure which job is meant", hint=f"the one that begins so is {found[0]}"
        )
    return found[0]
