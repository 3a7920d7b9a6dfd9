"""Checks the beginning of every input before any work: other formats are refused, empty files are marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from virnucpro_tasks.errors import EmptyInputError
from virnucpro_tasks.jobs.staging import StagedInput
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.inputs import ReadInput, all_empty, empty_input_error

ALLOW_EMPTY_HINT = "--allow-empty gives tables of headers alone"


def refuse_inputs(inputs: Sequence[ReadInput], *, strict: bool, allow_empty: bool = False) -> None:
    """Raise the errors of `mark_empty` for files, before hours go into copying them.

    Pipes and standard input are left out, because they can be read only once, and so are files that cannot be reached.
    """
    files = [source for source in inputs if _is_file(source.path)]
    found = [empty_input_error(source) for source in files]
    if not allow_empty:
        _refuse(found, of=len(inputs), strict=strict)


def mark_empty(
    inputs: tuple[StagedInput, ...],
    paths: JobPaths,
    *,
    strict: bool,
    allow_empty: bool = False,
    compat: Compat = Compat.NONE,
) -> tuple[StagedInput, ...]:
    """The staged inputs, those without a record marked.

    Raises InputError for one that is not FASTA or FASTQ, and, unless that is allowed, for an empty one if all are empty
    or with `strict`.
    """
    found = [empty_input_error(entry.at(paths.input(ordinal), compat=compat)) for ordinal, entry in enumerate(inputs)]
    if not allow_empty:
        _refuse(found, of=len(inputs), strict=strict)
    return tuple(
        entry if error is None else msgspec.structs.replace(entry, empty=True)
        for entry, error in zip(inputs, found, strict=True)
    )


@contextmanager
def offering_empty_tables() -> Iterator[None]:
    """Have EmptyInputErrors of the block say how a command gives tables instead; for commands with --allow-empty."""
    try:
        yield
    except EmptyInputError as error:
        error.hint = error.hint or ALLOW_EMPTY_HINT
        raise


def _refuse(found: Sequence[EmptyInputError | None], *, of: int, strict: bool) -> None:
    errors = [error for error in found if error is not None]
    if errors and strict:
        raise errors[0]
    if errors and len(errors) == of:
        raise all_empty(errors)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
