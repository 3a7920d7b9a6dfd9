"""FASTA files that hold no nucleotides: proteins, quality values, reads in colour space, headers alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.letters import WHITE_SPACE
from virnucpro_tasks.reads.record import (
    PROTEIN_CERTAIN,
    Limits,
    illegal_letter,
    record_id_of,
    shown,
)

SAMPLE_BYTES = 64 * 1024
SAMPLE_RECORDS = 200
_SEQUENCE_LINE = re.compile(rb"\n[^>]")
_NUMBERS = re.compile(rb"\s*-?\d+(\s+-?\d+)+\s*")
_COLOURS = re.compile(rb"[ACGTacgt][0-3.]*[0-3][0-3.]*")
_PIR_HEADER = re.compile(rb">(P1|F1|DL|DC|RL|RC|N1|N3|XX);")
_GAPS_AS_N = bytes.maketrans(b"-.", b"NN")
_LEAST_PROTEIN_SHARE = 0.1
"""Share of letters that no nucleotide code has, in a record that counts as protein; in proteins it is about a third."""


class Kind(StrEnum):
    """A kind of records that are no nucleotides; the values begin messages."""

    PROTEINS = "this is a file of proteins, not of nucleotides"
    QUALITIES = "this is a file of quality values, not of sequences"
    COLOURS = "these are reads in colour space, not in bases"


_HINTS = {
    Kind.PROTEINS: "give the contigs or reads that the proteins were predicted on",
    Kind.QUALITIES: "give the FASTA file that it belongs to, or FASTQ",
    Kind.COLOURS: "give FASTQ in bases, or contigs assembled from them",
}


@dataclass(frozen=True, slots=True)
class _Sampled:
    """A record of the sample that has a sequence."""

    record_id: bytes
    line: int
    body: bytes
    kind: Kind | None


def has_sequence_line(text: bytes) -> bool:
    """Whether any line of `text`, which begins with a header, is none."""
    return _SEQUENCE_LINE.search(text) is not None


def refuse_headers_alone(text: bytes, *, name: str, line: int) -> None:
    """Raise InputError for a whole file without a single sequence line; `line` is that of its first header."""
    record_id = record_id_of(text[1:].partition(b"\n")[0], Limits())
    raise InputError(
        "empty sequence: the file holds headers alone" if record_id else "empty id and empty sequence",
        file=name,
        record=shown(record_id) or None,
        line=line,
        hint="its sequences are missing; make it again",
    )


def refuse_other_contents(text: bytes, *, name: str, line: int) -> None:
    """Raise InputError if nearly all records at the beginning of FASTA, the first one too, are no nucleotides.

    `text` begins with the first header, which is on `line`. Single records of another kind are left to the reader.
    """
    sample = text[:SAMPLE_BYTES]
    records = _records(sample, line)
    if not records:
        return
    first = records[0]
    if _PIR_HEADER.match(sample) and first.body.rstrip().endswith(b"*"):
        raise InputError(
            "this is a PIR file, not FASTA/FASTQ",
            file=name,
            line=line,
            hint="convert it to FASTA first, for example with Biopython",
        )
    alike = sum(record.kind is first.kind for record in records)
    if first.kind is None or 10 * alike < 9 * len(records):
        return
    what = str(first.kind)
    if first.kind is Kind.PROTEINS:
        # Gaps of an alignment are not what makes it one of proteins.
        what += f": {illegal_letter(first.body.translate(_GAPS_AS_N), line=first.line + 1)}"
    if len(records) > 1:
        what += f"; {alike} of the first {len(records)} records are such"
    raise InputError(
        what,
        file=name,
        record=shown(first.record_id) or None,
        line=first.line,
        hint=_HINTS[first.kind],
    )


def _records(sample: bytes, line: int) -> list[_Sampled]:
    found = []
    for part in sample[1:].split(b"\n>")[:SAMPLE_RECORDS]:
        header, _, body = part.partition(b"\n")
        if body.strip():
            found.append(_Sampled(record_id_of(header, Limits()), line, body, _kind_of(body)))
        line += part.count(b"\n") + 1
    return found


def _kind_of(body: bytes) -> Kind | None:
    if _NUMBERS.fullmatch(body):
        return Kind.QUALITIES
    letters = body.translate(None, WHITE_SPACE).upper()
    if _COLOURS.fullmatch(letters):
        return Kind.COLOURS
    certain = len(letters) - len(letters.translate(None, PROTEIN_CERTAIN))
    return Kind.PROTEINS if certain >= _LEAST_PROTEIN_SHARE * len(letters) else None
