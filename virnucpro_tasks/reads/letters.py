"""The letters that a sequence may have, and what they are read as: by the rules of this package or of the original."""

from __future__ import annotations

import re
from dataclasses import dataclass

from virnucpro_tasks.reads.compat import Compat

WHITE_SPACE = b" \t\n\r\v\f"
LETTERS = b"ACGTNRYKMSWBDHV"
"""The bases and the IUPAC ambiguity codes; U is read as T."""

UPPER_DNA = bytes.maketrans(b"abcdefghijklmnopqrstuvwxyzU", b"ABCDEFGHIJKLMNOPQRSTTVWXYZT")
"""Translation to upper case, U to T."""

_NO_CALL, _ANY_BASE = b".", b"N"


@dataclass(frozen=True, slots=True)
class LetterRule:
    """How the letters of a record are read.

    `upper` translates those of a file, `letters` are the ones that are then legal, and `illegal` finds the first that
    is not in a file. Without `needs_id` a record may have an empty id.
    """

    upper: bytes
    letters: bytes
    illegal: re.Pattern[bytes]
    needs_id: bool

    @property
    def upper_fastq(self) -> bytes:
        """`upper` with the no-calls of older Illumina software, which FASTA does not have, as N."""
        return self.upper.replace(_NO_CALL, _ANY_BASE)


_EITHER_CASE = LETTERS + b"U" + LETTERS.lower() + b"u" + WHITE_SPACE

OUR_LETTERS = LetterRule(UPPER_DNA, LETTERS, re.compile(rb"[^%b]" % _EITHER_CASE), needs_id=True)

ORIGINAL_LETTERS = LetterRule(
    bytes(range(256)).upper(),
    bytes(sorted(set(range(128)) - set(WHITE_SPACE))),
    re.compile(rb"[^\x00-\x7f]"),
    needs_id=False,
)
"""Every ASCII letter is one: a codon with another than A, C, G, T is left out of its frame, and so is one with U."""


def letters_of(compat: Compat) -> LetterRule:
    """The rule for letters that a job asks for."""
    return ORIGINAL_LETTERS if compat is Compat.ORIGINAL else OUR_LETTERS
