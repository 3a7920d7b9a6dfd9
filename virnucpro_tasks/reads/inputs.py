"""The input files of a job, one after another; empty ones among others are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.errors import EmptyInputError
from virnucpro_tasks.reads.records import Limits, Record, read_start
from virnucpro_tasks.reads.sources import open_input


@dataclass(frozen=True, slots=True)
class ReadInput:
    """An input file, and its name in messages."""

    path: Path
    name: str


def each_input(
    inputs: Sequence[ReadInput], *, limits: Limits | None = None, strict: bool = False
) -> Iterator[tuple[int, Iterator[Record]]]:
    """Yield the 0-based number and the records of each input that is not empty, in order.

    Raises InputError for a file that is not FASTA or FASTQ, and EmptyInputError for the first empty one if all are
    empty or with `strict`.
    """
    empty: list[EmptyInputError] = []
    for ordinal, source in enumerate(inputs):
        try:
            with open_input(source.path, name=source.name) as stream:
                start = read_start(stream, name=source.name)
                start.refuse_other_contents()
                yield ordinal, start.records(limits or Limits())
        except EmptyInputError as error:
            if strict:
                raise
            empty.append(error)
    if inputs and len(empty) == len(inputs):
        raise all_empty(empty)


def empty_input_error(source: ReadInput) -> EmptyInputError | None:
    """The error that an empty input makes; None for any other. Little of it is read.

    Raises InputError for one that is not FASTA or FASTQ, as far as its beginning shows.
    """
    try:
        with open_input(source.path, name=source.name) as stream:
            start = read_start(stream, name=source.name)
            start.refuse_other_contents()
            if not start.is_fasta:
                next(start.records(Limits()), None)
    except EmptyInputError as error:
        return error
    return None


def all_empty(errors: Sequence[EmptyInputError]) -> EmptyInputError:
    """One error for several inputs, all of them empty."""
    first, others = errors[0], len(errors) - 1
    what = f"{first.what}, and so {'is the other input' if others == 1 else f'are the {others} other inputs'}"
    return EmptyInputError(what, file=first.file, line=first.line) if others else first
