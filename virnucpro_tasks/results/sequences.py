"""virus.fasta.gz as Biopython records, whose ids are those of the input byte for byte."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.system.extras import require_extra

if TYPE_CHECKING:
    from Bio.SeqRecord import SeqRecord

MISSING_HINT = (
    "`virnucpro extract RESULTS INPUTS -o FILE` writes the sequences from the tables and the inputs of the job"
)
"""How to get sequences that a job left out, because its inputs had gone."""

_ADDED = re.compile(rb" virus_score=(\S+) chunks=(\d+)")
"""Pattern of the facts behind the header of the input."""


def read_sequences(file: Path) -> Iterator[SeqRecord]:
    """The records of a gzip FASTA file of viral sequences, one in memory at a time.

    Bytes of a header that are no UTF-8 are surrogates, as in file names: `os.fsencode` gives them. Not read by
    `Bio.SeqIO`, which cuts ids at white space beyond ASCII. Raises BackendError without Biopython, DamagedError for a
    file that is missing, cut off or not of this form.
    """
    require_extra("biopython")
    header, lines = b"", []
    try:
        with gzip.open(file) as handle:
            for line in handle:
                if not line.startswith(b">"):
                    lines.append(line.strip())
                    continue
                if header:
                    yield _record(header, b"".join(lines), file)
                header, lines = line[1:].rstrip(b"\r\n"), []
    except FileNotFoundError as error:
        raise DamagedError(file, hint=MISSING_HINT) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedError(file) from error
    if header:
        yield _record(header, b"".join(lines), file)


def _record(header: bytes, sequence: bytes, file: Path) -> SeqRecord:
    from Bio.Seq import Seq
    from Bio.SeqRecord import SeqRecord

    places = list(_ADDED.finditer(header))
    if not places or places[-1].end() != len(header) or not header[: places[-1].start()].split():
        raise DamagedError(file)
    added = places[-1]
    title = header[: added.start()]
    name = title.split(None, 1)[0].decode(errors="surrogateescape")
    record = SeqRecord(Seq(sequence), id=name, name=name, description=title.decode(errors="surrogateescape"))
    annotations: dict[str, Any] = {"virus_score": float(added[1]), "chunks": int(added[2])}
    record.annotations.update(annotations)
    return record
