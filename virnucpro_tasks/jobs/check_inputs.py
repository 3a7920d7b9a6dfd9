"""Checks the beginning of every input before any work: other formats are refused, empty files are marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from virnucpro_tasks.jobs.staging import StagedInput
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.reads.inputs import ReadInput, all_empty, empty_input_error


def refuse_other_files(inputs: Sequence[Path]) -> None:
    """Raise InputError for the first file that is not FASTA or FASTQ, before hours go into copying it.

    Pipes and standard input are left out, because they can be read only once, and so are files that cannot be reached.
    """
    for path in inputs:
        if _is_file(path):
            empty_input_error(ReadInput(path, str(path)))


def mark_empty(inputs: tuple[StagedInput, ...], paths: JobPaths, *, strict: bool) -> tuple[StagedInput, ...]:
    """The staged inputs, those without a record marked.

    Raises InputError for one that is not FASTA or FASTQ, and for an empty one if all are empty or with `strict`.
    """
    found = [empty_input_error(ReadInput(paths.input(ordinal), entry.name)) for ordinal, entry in enumerate(inputs)]
    errors = [error for error in found if error is not None]
    if errors and strict:
        raise errors[0]
    if inputs and len(errors) == len(inputs):
        raise all_empty(errors)
    return tuple(
        entry if error is None else msgspec.structs.replace(entry, empty=True)
        for entry, error in zip(inputs, found, strict=True)
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
