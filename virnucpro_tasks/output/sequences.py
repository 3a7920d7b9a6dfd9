"""virus.fasta.gz: the sequences of the records that are called virus, or that are within other cutoffs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import BinaryIO

from virnucpro_tasks.errors import BackendError, InputError, VirnucproError
from virnucpro_tasks.jobs.stored_inputs import reading_stored_inputs
from virnucpro_tasks.output.bgzf import BgzfWriter
from virnucpro_tasks.output.fields import LINE_END
from virnucpro_tasks.output.records import WrittenRecords
from virnucpro_tasks.output.selection import SelectedRecords, selected_records
from virnucpro_tasks.output.table import Table, TableStyle, Writer
from virnucpro_tasks.reads.inputs import ReadInput, wanted_originals
from virnucpro_tasks.reads.originals import Original, Wanted
from virnucpro_tasks.reads.record import Limits, record_ids_of, shown

LIMITS = Limits()
log = logging.getLogger(__name__)


class VirusSequences:
    """Writes selected records of `inputs` as FASTA, in input order, by `write`. Keeps those of a block in memory.

    The inputs are read as far as the last selected record; `records` and `bases` count what was written.
    """

    def __init__(self, inputs: Sequence[ReadInput], write: Callable[[bytes], object]) -> None:
        self.records = self.bases = 0
        self._inputs = inputs
        self._write = write
        self._wanted = Wanted()
        self._originals = wanted_originals(inputs, self._wanted)

    def add(self, selected: SelectedRecords) -> None:
        """Write the next records. Raises InputError if they are not in the inputs, which were changed then."""
        self._wanted.set(selected.numbers)
        while selected:
            originals = next(self._originals, ())
            if not originals:
                raise self._changed(selected)
            some, selected = selected[: len(originals)], selected[len(originals) :]
            self._write(self._fasta(some, originals))

    def _fasta(self, selected: SelectedRecords, originals: Sequence[Original]) -> bytes:
        headers, sequences = zip(*originals, strict=True)
        lengths, ids = list(map(len, sequences)), record_ids_of(headers, LIMITS)
        if (lengths, ids) != (selected.lengths, selected.record_ids):
            found = zip(
                zip(lengths, ids, strict=True), zip(selected.lengths, selected.record_ids, strict=True), strict=True
            )
            raise self._changed(selected[next(place for place, (one, other) in enumerate(found) if one != other) :])
        self.records += len(selected)
        self.bases += sum(lengths)
        fields = zip(repeat(b">"), headers, selected.notes, repeat(LINE_END), sequences, repeat(LINE_END))
        return b"".join(chain.from_iterable(fields))

    def close(self) -> None:
        """Close the input that is open."""
        self._originals.close()

    def _changed(self, selected: SelectedRecords) -> InputError:
        """The error for the first of these records."""
        names = ", ".join(dict.fromkeys(source.name for source in self._inputs))
        return InputError(
            f"record {selected.numbers[0] + 1:,} is not {shown(selected.record_ids[0])!r} with "
            f"{selected.lengths[0]:,} bases, as it was when it was scored: the input was changed",
            file=names,
            hint="restore it, and repeat the command",
        )


def _selected_lines(written: WrittenRecords, style: TableStyle) -> list[bytes]:
    """The records to write, as lines for the process that reads the inputs; none where there are no inputs."""
    if not style.inputs:
        return []
    return selected_records(written, style).lines


@contextmanager
def _fasta(file: BinaryIO, style: TableStyle) -> Iterator[Writer]:
    """A function that takes such lines and writes the sequences of their records to `file`.

    The file is deleted in the end if the inputs are gone or were changed: what was computed from them is still right.
    """
    problem: VirnucproError | None = None

    def write(lines: list[bytes]) -> None:
        nonlocal problem
        if problem is None:
            try:
                with reading_stored_inputs():
                    sequences.add(SelectedRecords.of_lines(b"".join(lines)))
            except (InputError, BackendError) as error:
                problem = error

    with BgzfWriter(file) as packed, closing(VirusSequences(style.inputs, packed.write)) as sequences:
        yield write
    if problem is not None:
        log.warning("%s is left out: %s", file.name, problem)
        Path(file.name).unlink()


VIRUS_SEQUENCES: Table[WrittenRecords] = Table(
    "virus.fasta.gz",
    "sequences of the records called virus, or within other cutoffs",
    header=lambda style: b"",
    lines=_selected_lines,
    written_by=_fasta,
    is_prefixed=True,
)
