"""Stages input files: links or copies them into the job, because workers read nothing outside the store."""

from __future__ import annotations

import hashlib
import os
import select
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO

import msgspec

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.jobs.rights import ALL, PLAIN_RIGHTS, JobRights
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import by_name, persistently
from virnucpro_tasks.system.files import READ_BLOCK_BYTES, atomic_path, file_sha256

STANDARD_INPUT = Path("-")
STANDARD_INPUT_NAME = "standard input"


class StagedInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An input file of a job: its name as the user gave it, its size in bytes and its SHA-256 (hex).

    `empty` is said of one that holds no record; `sample`, `mate` and `listed` are as in `ReadInput`.
    """

    name: str
    bytes: int
    sha256: str
    empty: bool = False
    sample: str = ""
    mate: int = 0
    listed: str = ""

    def at(self, place: Path, *, compat: Compat) -> ReadInput:
        """The input as it is read from its place in the job, by the rules that the job asks for."""
        return ReadInput(place, self.name, self.sample, self.mate, self.listed, may_be_empty=self.empty, compat=compat)


def stage_inputs(
    inputs: Sequence[ReadInput], paths: JobPaths, rights: JobRights = PLAIN_RIGHTS
) -> tuple[StagedInput, ...]:
    """Hard-link (same file system) or copy each input into the job; a copy is open to no more people than the job.

    A file that the group of the `rights` may not read is copied for it. Raises InputError for a file
    that is missing, a folder or unreadable, OSError if the store cannot be written.
    """
    if sum(source.path == STANDARD_INPUT for source in inputs) > 1:
        raise InputError("can be read only once", file=STANDARD_INPUT_NAME)
    return tuple(_listed(source, paths.input(ordinal), rights) for ordinal, source in enumerate(inputs))


def _listed(source: ReadInput, place: Path, rights: JobRights) -> StagedInput:
    with source.naming_the_sheet():
        staged = _stage(source.path, place, rights)
    return msgspec.structs.replace(staged, sample=source.sample, mate=source.mate, listed=source.listed)


def _stage(source: Path, place: Path, rights: JobRights) -> StagedInput:
    if source == STANDARD_INPUT:
        if sys.stdin is None:
            raise InputError("it is closed", file=STANDARD_INPUT_NAME, hint="name a file, or pipe one into the command")
        # Unbuffered: a buffer takes the end of a terminal's input, Ctrl-D, for a pause, and a pause for the end.
        return _copy(getattr(sys.stdin.buffer, "raw", sys.stdin.buffer), place, STANDARD_INPUT_NAME, rights)
    try:
        if persistently(source.is_dir):
            raise InputError("is a folder", file=str(source), hint="give its files")
        if persistently(source.is_file) and rights.lets_read(persistently(source.stat)):
            with suppress(OSError):
                os.link(source.resolve(), place)
                return StagedInput(str(source), persistently(place.stat).st_size, file_sha256(place))
        stream = by_name(lambda: source.open("rb"), source)
    except OSError as error:
        raise unreadable(error, str(source)) from None
    with stream:
        return _copy(stream, place, str(source), rights)


def _copy(stream: BinaryIO | RawIOBase, place: Path, name: str, rights: JobRights) -> StagedInput:
    digest = hashlib.sha256()
    size = 0
    with atomic_path(place) as temporary, persistently(lambda: temporary.open("wb")) as target:
        while block := _read(stream, name):
            digest.update(block)
            size += len(block)
            target.write(block)
    if rights.mode != ALL:
        # Until here the folder of the job alone has kept others out.
        with suppress(OSError):
            place.chmod(place.stat().st_mode & rights.mode)
    return StagedInput(name, size, digest.hexdigest())


def _read(stream: BinaryIO | RawIOBase, name: str) -> bytes:
    try:
        while (block := stream.read(READ_BLOCK_BYTES)) is None:
            # Another process made the descriptor non-blocking, and no data are there yet.
            select.select([stream], [], [])
        return block
    except OSError as error:
        raise unreadable(error, name) from None


def unreadable(error: Exception, name: str) -> InputError:
    """The error for an input that the file system does not give."""
    cause = cause_of(error)
    return InputError(cause.words, file=name, hint=cause.advice)
