"""Decides who may read and write a new job, from the rights of the store and of the inputs, before it is made.

The folder of a job is its only door: it is open to those alone who may read all of its inputs, and so is everything in
it, whatever its own mode is. Where workers are other users they come in by a group, so that this one must be allowed.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from virnucpro_tasks.errors import InputError, StoreError, VirnucproError
from virnucpro_tasks.jobs.readers import Closed, Readers, readers_of
from virnucpro_tasks.jobs.rights import ALL, GROUP, OTHERS, JobRights
from virnucpro_tasks.system.file_operations import exists
from virnucpro_tasks.system.files import store_write_error
from virnucpro_tasks.system.users import (
    Account,
    SharedFolder,
    group_name,
    may_write,
    own_umask,
    user_name,
)

GROUP_WRITE, OTHERS_WRITE = 0o020, 0o002
USUAL_UMASK = 0o022


class StoreUse(Enum):
    """Who computes in a store, as far as its rights show: its own user, other users too, or perhaps others."""

    OWN = auto()
    SHARED = auto()
    UNSURE = auto()


@dataclass(frozen=True, slots=True)
class Submitter:
    """Whoever submits: user, umask, first group, and whether workers may read what their group could not.

    `workers_are_others` asks whether a worker that answers is another user, None if none answers; it is called only
    where that decides something. `further` are files and folders that a job takes content from besides its inputs.
    """

    account: Account
    umask: int
    group: int
    shares_input: bool = False
    workers_are_others: Callable[[], bool | None] = lambda: False
    further: tuple[Path, ...] = ()

    @classmethod
    def here(
        cls,
        *,
        shares_input: bool = False,
        workers_are_others: Callable[[], bool | None] = lambda: False,
        further: tuple[Path, ...] = (),
    ) -> Submitter:
        """The user of this process; workers are the same unless `workers_are_others` says otherwise."""
        umask = own_umask()
        return cls(
            Account.own(),
            USUAL_UMASK if umask is None else umask,
            os.getegid(),
            shares_input,
            workers_are_others,
            further,
        )


def job_rights(store: Path, inputs: Sequence[Path], who: Submitter) -> JobRights:
    """Return the rights of a new job over `inputs`.

    Raises StoreError if workers of other users could not work in it, InputError for an input that their group may not
    read, unless `who` shares it.
    """
    try:
        place = jobs_place(store)
    except OSError as error:
        raise store_write_error(error, store) from error
    if place is None:
        return JobRights(_mode(readers_of([*inputs, *who.further], gid=who.group, store=store)))
    try:
        folder = SharedFolder.at(place)
    except OSError as error:
        raise store_write_error(error, place) from error
    gid = folder.gid if folder.hands_on_its_group else who.group
    readers = readers_of([*inputs, *who.further], gid=gid, store=store)
    own, use = JobRights(_mode(readers)), _use(folder, who.account)
    if use is StoreUse.OWN:
        return own
    complaint = _complaint(store, place, folder, readers, who, gid)
    if complaint is None:
        if use is StoreUse.UNSURE:
            return own
        return JobRights(own.mode | GROUP, gid, sets_group=not folder.hands_on_its_group)
    others = who.workers_are_others()
    if others is False or (others is None and (use is StoreUse.UNSURE or who.account.uid == 0)):
        return own
    raise complaint


def jobs_place(store: Path) -> Path | None:
    """The folder of `store` in which jobs are made, or the store if it has none yet; None without a store."""
    return next((place for place in (store / "jobs", store) if exists(place)), None)


def sharing_commands(store: Path, gid: int) -> str:
    """The commands that give the folders of `store` to a group, as its owner types them."""
    return (
        f"its owner types: cd {shlex.quote(str(store))} && mkdir -p jobs names submissions && "
        f"chgrp {group_name(gid)} . jobs names submissions && chmod 2775 . names submissions && chmod 3775 jobs"
    )


def _use(folder: SharedFolder, me: Account) -> StoreUse:
    for_others = folder.mode & (GROUP_WRITE | OTHERS_WRITE)
    if folder.uid != me.uid or (for_others and folder.hands_on_its_group):
        return StoreUse.SHARED
    return StoreUse.UNSURE if for_others else StoreUse.OWN


def _mode(readers: Readers) -> int:
    return ALL & ~(GROUP if readers.to_group else 0) & ~(OTHERS if readers.to_others else 0)


def _complaint(
    store: Path, place: Path, folder: SharedFolder, readers: Readers, who: Submitter, gid: int
) -> VirnucproError | None:
    """The first reason for which workers of other users could not work in the job, and the command that mends it."""
    group = group_name(gid)
    if not may_write(who.account, folder) or not folder.mode & (GROUP_WRITE | OTHERS_WRITE):
        return StoreError(
            f"the store {store} is of user {user_name(folder.uid)}, and {place} has mode {folder.mode:o}: "
            f"{user_name(who.account.uid)} and its workers cannot share jobs there",
            hint=sharing_commands(store, gid),
        )
    if who.account.uid != 0 and gid not in who.account.groups:
        return StoreError(
            f"the store {store} is of group {group}, and {user_name(who.account.uid)} is not in it",
            hint=f"type: sudo usermod -aG {group} {user_name(who.account.uid)}, and log in again",
        )
    if who.umask & GROUP:
        return StoreError(
            f"umask {who.umask:03o} closes the job to the group {group}, by which workers of the store {store} come in",
            hint=f"type: umask {who.umask & ~GROUP:03o}",
        )
    if readers.to_group and not who.shares_input:
        return _closed(readers.to_group[0], group)
    return None


def _closed(found: Closed, group: str) -> InputError:
    is_file = found.source in (found.by, found.by.resolve())
    where = "it" if is_file else str(found.by)
    file = shlex.quote(str(found.source))
    yours = f"type: chgrp {group} {file} && chmod g+r {file}; or " if is_file else ""
    return InputError(
        f"{where} has mode {found.mode:o}: the group {group}, by which workers come in, may not read it",
        file=str(found.source),
        hint=f"{yours}with --share-input the job gets a copy for this group, and stays closed to all others",
    )
