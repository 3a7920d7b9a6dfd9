"""virus.fasta.gz: the sequences of the records that are called virus, or that are within other cutoffs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from virnucpro_tasks.errors import BackendError, InputError, VirnucproError
from virnucpro_tasks.jobs.stored_inputs import reading_stored_inputs
from virnucpro_tasks.output.bgzf import BgzfWriter
from virnucpro_tasks.output.records import WrittenRecords
from virnucpro_tasks.output.selection import SelectedRecord, selected_records
from virnucpro_tasks.output.table import Table, TableStyle, Writer
from virnucpro_tasks.reads.inputs import ReadInput, wanted_originals
from virnucpro_tasks.reads.originals import Original, Wanted
from virnucpro_tasks.reads.record import Limits, record_id_of, shown

LIMITS = Limits()
RECORDS_AT_ONCE = 1_000
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

    def add(self, selected: Iterable[SelectedRecord]) -> None:
        """Write the next records. Raises InputError if they are not in the inputs, which were changed then."""
        records = iter(selected)
        while some := list(islice(records, RECORDS_AT_ONCE)):
            self._wanted.set([record.number for record in some])
            while some:
                originals = next(self._originals, ())
                if not originals:
                    raise self._changed(some[0])
                self._write(b"".join(map(self._fasta, some, originals)))
                del some[: len(originals)]

    def _fasta(self, record: SelectedRecord, original: Original) -> bytes:
        if not _is_of(original, record):
            raise self._changed(record)
        self.records += 1
        self.bases += record.length
        return b">%b virus_score=%b chunks=%d\n%b\n" % (original.header, record.score, record.chunks, original.sequence)

    def close(self) -> None:
        """Close the input that is open."""
        self._originals.close()

    def _changed(self, record: SelectedRecord) -> InputError:
        names = ", ".join(dict.fromkeys(source.name for source in self._inputs))
        return InputError(
            f"record {record.number + 1:,} is not {shown(record.record_id)!r} with {record.length:,} bases, as it was "
            "when it was scored: the input was changed",
            file=names,
            hint="restore it, and repeat the command",
        )


def _is_of(original: Original, record: SelectedRecord) -> bool:
    return len(original.sequence) == record.length and record_id_of(original.header, LIMITS) == record.record_id


def _selected_lines(written: WrittenRecords, style: TableStyle) -> list[bytes]:
    """The records to write, as lines for the process that reads the inputs; none where there are no inputs."""
    if not style.inputs:
        return []
    return [record.line for record in selected_records(written, style)]


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
                    sequences.add(SelectedRecord.of_lines(b"".join(lines)))
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
