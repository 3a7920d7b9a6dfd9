"""Checks of the store: room, rights of all who use it, its file system, its latency."""

from __future__ import annotations

import os
import stat
import statistics
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from virnucpro_tasks.diagnosis.deployment import Deployment
from virnucpro_tasks.diagnosis.finding import Outcome, Status, above, below, worst
from virnucpro_tasks.errors import VirnucproError, counted, size_text
from virnucpro_tasks.jobs.find import require_store
from virnucpro_tasks.jobs.sharing import Submitter, job_rights, jobs_place, sharing_commands
from virnucpro_tasks.jobs.store_check import shortcomings
from virnucpro_tasks.queue.process_facts import ProcessFacts, are_others
from virnucpro_tasks.system.file_operations import temporary_beside
from virnucpro_tasks.system.files import write_bytes
from virnucpro_tasks.system.users import (
    Account,
    SharedFolder,
    folder_made_by,
    may_read,
    may_write,
    own_umask,
)

LEAST_FREE_BYTES, ENOUGH_FREE_BYTES = 100e6, 10e9
LEAST_FREE_FILES, ENOUGH_FREE_FILES = 1_000, 100_000
ROOM_ADVICE = "'virnucpro prune --older-than 30d' removes old jobs, 'virnucpro doctor --clean' what killed runs left"

SLOW_SECONDS = 0.5
"""Time of writing a small file, with fsync, that is worth a word: a shard writes about ten."""

LATENCY_PROBES = 5
NO_STORE = Outcome("not tried, since there is no store", Status.WARNING, "see the finding on the store")


def check_store(deployment: Deployment) -> Outcome:
    """Whether the store is there, takes files, and has room. Raises StoreError or OSError."""
    store = deployment.settings.store
    require_store(store)
    probe = temporary_beside((jobs_place(store) or store) / "doctor")
    write_bytes(probe, b"")
    probe.unlink(missing_ok=True)
    return room_outcome(store, os.statvfs(store))


def room_outcome(store: Path, found: os.statvfs_result) -> Outcome:
    """Whether bytes and inodes are left. File systems that do not count either say 0 of 0."""
    free = found.f_bavail * found.f_frsize
    status = below(free, least=LEAST_FREE_BYTES, enough=ENOUGH_FREE_BYTES) if found.f_blocks else Status.OK
    outcomes = [
        Outcome(
            f"{store} is writable, {size_text(free)} free",
            status,
            "" if status is Status.OK else ROOM_ADVICE,
            {"free_bytes": free},
        )
    ]
    if found.f_files:
        status = below(found.f_favail, least=LEAST_FREE_FILES, enough=ENOUGH_FREE_FILES)
        outcomes.append(
            Outcome(
                f"{counted(found.f_favail, 'inode')} free",
                status,
                "" if status is Status.OK else ROOM_ADVICE,
                {"free_inodes": found.f_favail},
            )
        )
    return worst(outcomes)


def check_file_system(deployment: Deployment) -> Outcome:
    """Check the file system of the store for what a deployment needs. Raises StoreError or OSError."""
    require_store(deployment.settings.store)
    # Where jobs are made: in a store of several users that alone may be open to this one.
    found = shortcomings(jobs_place(deployment.settings.store) or deployment.settings.store)
    if not found:
        return Outcome("has all that a deployment uses")
    return Outcome(f"has {'; '.join(map(str, found))}", Status.WARNING, values={"lacks": [one.what for one in found]})


def check_latency(deployment: Deployment) -> Outcome:
    """The time that a small file takes: writing, fsync, reading, deleting. Raises StoreError or OSError."""
    store = deployment.settings.store
    if not store.is_dir():
        return NO_STORE
    seconds = []
    for _ in range(LATENCY_PROBES):
        began = time.perf_counter()
        probe = temporary_beside((jobs_place(store) or store) / "doctor")
        write_bytes(probe, b"x" * 4096)
        probe.read_bytes()
        probe.unlink(missing_ok=True)
        seconds.append(time.perf_counter() - began)
    median = statistics.median(seconds)
    status = above(median, most=SLOW_SECONDS)
    return Outcome(
        f"a small file takes {median * 1e3:.1f} ms",
        status,
        "" if status is Status.OK else "is the file server busy? use larger shards (shard_tokens) or a faster store",
        {"seconds": round(median, 6)},
    )


def check_rights(deployment: Deployment) -> Outcome:
    """Whether workers may write the jobs that this user makes, and he may read theirs, and `submit` takes one.

    Raises StoreError or OSError.
    """
    store = deployment.settings.store
    if not store.is_dir():
        return NO_STORE
    folder = jobs_place(store) or store
    found = rights_outcome(
        folder,
        SharedFolder.at(folder),
        Account.own(),
        umask=own_umask(),
        group=os.getegid(),
        workers=deployment.told,
    )
    if found.status is not Status.FAILED:
        try:
            others = partial(are_others, deployment.told, os.geteuid())
            job_rights(store, [], Submitter.here(workers_are_others=others))
        except VirnucproError as error:
            return Outcome(error.what, Status.FAILED, error.hint, found.values)
    return found


def rights_outcome(
    path: Path,
    folder: SharedFolder,
    me: Account,
    *,
    umask: int | None,
    group: int,
    workers: Mapping[str, ProcessFacts],
) -> Outcome:
    """Whether the rights of `folder`, in which jobs are made, and the umasks of all let each other work.

    `group` is the first group of this user. A worker that did not tell its user is left out.
    """
    store = path.parent if path.name == "jobs" else path
    advice = (
        f"run clients and workers as one user, or with umask 002 and one group: {sharing_commands(store, folder.gid)}"
    )
    mode = f"{path} has mode {folder.mode:o}"
    values = {"mode": f"{folder.mode:o}", "uid": me.uid, "umask": None if umask is None else f"{umask:03o}"}
    if not may_write(me, folder):
        return Outcome(f"{mode}: this user (uid {me.uid}) may not write", Status.FAILED, advice, values)
    others = {name: one for name, one in workers.items() if one.uid not in (None, me.uid)}
    mine = folder_made_by(me, umask=0o022 if umask is None else umask, inside=folder, group=group)
    for name, one in sorted(others.items()):
        worker = Account(one.uid or 0, one.groups)
        if not may_write(worker, folder) or not may_write(worker, mine):
            return Outcome(
                f"{mode}: worker {name} (uid {worker.uid}) may not write the jobs of this user (uid {me.uid}, umask "
                f"{mine.mode ^ 0o777:03o})",
                Status.FAILED,
                advice,
                values,
            )
        # Folders of a shared job hand on its group, whether the one above does or the job's own alone.
        inside = replace(mine, mode=mine.mode | stat.S_ISGID)
        theirs = folder_made_by(
            worker, umask=0o022 if one.umask is None else one.umask, inside=inside, group=next(iter(one.groups), -1)
        )
        if not may_read(me, theirs):
            return Outcome(
                f"{mode}: this user (uid {me.uid}) may not read what worker {name} (uid {worker.uid}) writes",
                Status.FAILED,
                advice,
                values,
            )
        if worker.uid != 0 and not may_write(me, theirs):
            return Outcome(
                f"{mode}: this user (uid {me.uid}) may not delete what worker {name} (uid {worker.uid}) writes",
                Status.WARNING,
                advice,
                values,
            )
    if folder.mode & stat.S_IWGRP and not folder.hands_on_its_group and me.uid != 0:
        return Outcome(
            f"{mode}: it is for a group, and jobs in it do not get that group", Status.WARNING, advice, values
        )
    shared = f", shared with {counted(len(others), 'worker')} of other users" if others else ""
    return Outcome(f"{mode}, this user has uid {me.uid}{shared}", values=values)
