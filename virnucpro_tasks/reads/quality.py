"""Checks of whole input files record by record, as `virnucpro utils validate` tells them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from virnucpro_tasks.errors import printable
from virnucpro_tasks.reads.inputs import ReadInput, each_input, wanted_originals
from virnucpro_tasks.reads.letters import LETTERS
from virnucpro_tasks.reads.originals import ALL_RECORDS, Original, Wanted
from virnucpro_tasks.reads.record import SHOWN_CHARACTERS

_UNKNOWN = re.compile(rb"[^%b%b]" % (LETTERS, LETTERS.lower()))
_BASES = b"ACGTacgt"


@dataclass(slots=True)
class Quality:
    """The findings in a file. `errors` are the first lines about records at fault, `error_count` is that of all.

    Lengths are in bases; `ambiguous` counts letters that are codes of several bases, `ambiguous_records` their records.
    """

    records: int = 0
    bases: int = 0
    shortest: int = 0
    longest: int = 0
    ambiguous: int = 0
    ambiguous_records: int = 0
    duplicates: int = 0
    error_count: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def is_valid(self) -> bool:
        return self.records > 0 and self.error_count == 0


def all_originals(file: Path) -> Iterator[Original]:
    """All records of a FASTA, FASTQ or BAM file as they are written, after the form of all has been checked.

    Raises InputError.
    """
    source = ReadInput(file, str(file))
    for _, records in each_input([source]):
        deque(records, maxlen=0)
    yield from chain.from_iterable(wanted_originals([source], Wanted(ALL_RECORDS)))


def quality_of(records: Iterable[Original], *, most_errors: int) -> Quality:
    """Look at all records: ids that repeat, empty sequences and letters other than IUPAC codes of DNA are errors.

    U and - are such letters, too, as in earlier versions.
    """
    found, ids = Quality(), set[bytes]()
    for header, sequence in records:
        record_id = header.split(maxsplit=1)[0] if header.split() else b""
        found.records += 1
        found.bases += len(sequence)
        found.shortest = min(found.shortest, len(sequence)) if found.records > 1 else len(sequence)
        found.longest = max(found.longest, len(sequence))
        problems = []
        if record_id in ids:
            found.duplicates += 1
            problems.append("its id is that of an earlier record")
        ids.add(record_id)
        if not sequence:
            problems.append("its sequence is empty")
        unknown = _UNKNOWN.search(sequence)
        if unknown is not None:
            letter = printable(unknown[0].decode("latin-1"))
            problems.append(f"letter {letter!r} at base {unknown.start() + 1} is no IUPAC code of DNA")
        elif ambiguous := len(sequence.translate(None, _BASES)):
            found.ambiguous += ambiguous
            found.ambiguous_records += 1
        for problem in problems:
            found.error_count += 1
            if len(found.errors) < most_errors:
                name = printable(record_id.decode(errors="replace"))[:SHOWN_CHARACTERS]
                found.errors.append(f"record {found.records:,}, '{name}': {problem}")
    return found
