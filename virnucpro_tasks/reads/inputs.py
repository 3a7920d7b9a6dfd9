"""The input files of a job, one after another; empty ones among others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.errors import EmptyInputError, InputError
from virnucpro_tasks.reads.bam import BAM_MAGIC, BamReads, open_bam
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.letters import letters_of
from virnucpro_tasks.reads.originals import Original, Wanted
from virnucpro_tasks.reads.records import Limits, Record, Start, read_start
from virnucpro_tasks.reads.sources import open_input


@dataclass(frozen=True, slots=True)
class ReadInput:
    """An input file, and its name in messages.

    One that is listed in a sample sheet has the name of its sample, its place in the sheet for messages, and `mate` 1
    or 2 if it holds the first or the second reads of pairs. One that `may_be_empty` is no error in a strict reading.
    `compat` says by whose rules its letters are read.
    """

    path: Path
    name: str
    sample: str = ""
    mate: int = 0
    listed: str = ""
    may_be_empty: bool = False
    compat: Compat = Compat.NONE

    @contextmanager
    def naming_the_sheet(self) -> Iterator[None]:
        """Have InputErrors of the block name the place in the sample sheet, too."""
        try:
            yield
        except InputError as error:
            if self.listed and not error.file.startswith(self.listed):
                error.file = f"{self.listed}: {error.file}"
            raise


def each_input(
    inputs: Sequence[ReadInput],
    *,
    limits: Limits | None = None,
    strict: bool = False,
    skipped: Counter[int] | None = None,
) -> Iterator[tuple[int, Iterator[Record]]]:
    """Yield the 0-based number and the records of each input that is not empty, in order.

    Adds to `skipped`, by that number, the alignments of a BAM file that are none of its records. Raises InputError for
    a file that is none of sequences, EmptyInputError for the first empty one if all are empty or with `strict`, and
    BackendError for BAM where it cannot be read.
    """
    empty: list[EmptyInputError] = []
    for ordinal, source in enumerate(inputs):
        try:
            with _opened(source) as reads:
                yield ordinal, _named(reads.records(limits or Limits(), letters_of(source.compat)), source)
                if isinstance(reads, BamReads) and skipped is not None:
                    skipped[ordinal] += reads.skipped
        except EmptyInputError as error:
            if strict and not source.may_be_empty:
                raise
            if skipped is not None:
                skipped[ordinal] += error.skipped_alignments
            empty.append(error)
    if inputs and len(empty) == len(inputs):
        raise all_empty(empty)


def wanted_originals(inputs: Sequence[ReadInput], wanted: Wanted) -> Generator[list[Original]]:
    """Yield the wanted records of all inputs in order, numbered as `each_input` gives them, as they are written there.

    Some come at a time; with the last of them the caller sets the next numbers. Raises InputError and BackendError as
    `each_input` does, but for empty inputs.
    """
    for source in inputs:
        with suppress(EmptyInputError), _opened(source) as reads:
            yield from reads.originals(wanted)


def empty_input_error(source: ReadInput) -> EmptyInputError | None:
    """The error that an empty input makes; None for any other. Little of it is read.

    Raises InputError for one that is none of sequences, as far as its beginning shows, and BackendError for BAM where
    it cannot be read.
    """
    try:
        with _opened(source) as reads:
            if not reads.is_fasta:
                next(_named(reads.records(Limits(), letters_of(source.compat)), source), None)
    except EmptyInputError as error:
        return error
    return None


def all_empty(errors: Sequence[EmptyInputError]) -> EmptyInputError:
    """One error for several inputs, all of them empty."""
    first, others = errors[0], len(errors) - 1
    what = f"{first.what}, and so {'is the other input' if others == 1 else f'are the {others} other inputs'}"
    return EmptyInputError(what, file=first.file, line=first.line) if others else first


@contextmanager
def _opened(source: ReadInput) -> Iterator[Start | BamReads]:
    """The records of an input, whatever its format; its beginning has been looked at."""
    with source.naming_the_sheet(), open_input(source.path, name=source.name) as stream:
        if not stream.head.startswith(BAM_MAGIC):
            start = read_start(stream, name=source.name)
            start.refuse_other_contents(of_any_letters=source.compat is Compat.ORIGINAL)
            yield start
            return
        if stream.compression not in (None, "gzip"):
            raise InputError(f"a BAM file inside {stream.compression}", file=source.name, hint="unpack it once")
        with open_bam(source.path, name=source.name) as reads:
            yield reads


def _named(records: Iterator[Record], source: ReadInput) -> Iterator[Record]:
    """The records, whose errors name the place in the sample sheet; without one as they are."""

    def naming() -> Iterator[Record]:
        with source.naming_the_sheet():
            yield from records

    return naming() if source.listed else records
