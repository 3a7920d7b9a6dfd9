"""An input record, the limits it must keep, and the problems it can have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

from virnucpro_tasks.errors import printable
from virnucpro_tasks.reads.letters import OUR_LETTERS, LetterRule

SHOWN_CHARACTERS = 100
DEFAULT_MIN_LENGTH = 60
"""Bases; shorter records are reported as too_short and not scored. 0 scores everything, as the original tool does."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest sizes of a record, and number of invalid records. A record over a limit is invalid, never cut."""

    header_bytes: int = 65_536
    bases: int = 256 * 2**20
    fastq_record_bytes: int = 64 * 2**20
    """Size of all four lines of a FASTQ record; a longer record makes the file invalid."""
    kept_id_bytes: int = 1_024
    """Number of bytes from which the id of a too long header is taken."""
    invalid_records: int = 1_000_000
    """An input with more invalid records than this, and more than valid ones, is refused: each takes lines in tables
    and results, and a small compressed file can unpack to billions of them."""


class Record(NamedTuple):
    """A record of an input file; a tuple, because a frozen dataclass takes three times as long to make.

    `sequence` is upper case without white space, its letters as a LetterRule reads them; it is empty if the record has
    a `problem`.
    """

    record_id: bytes  # the header up to the first white space, unchanged
    sequence: bytes
    line: int  # 1-based line of the header; 0 in a file without lines
    problem: str  # empty if there is none
    length: int  # letters in the input, even if `sequence` is empty
    mate: int = 0  # 1 or 2 for a read of a pair, if the file says so
    description: bytes = b""  # the rest of the header, without white space at its ends


BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PROTEIN_ONLY = b"EFILPQJOZX*"
PROTEIN_CERTAIN = b"EFILPQ"
"""Letters of amino acids that stand for no nucleotide."""

_SAMPLE_BYTES = 10_000


def record_id_of(header: bytes, limits: Limits) -> bytes:
    """The first word of a header line given without its first character; empty if there is none."""
    words = (header if len(header) <= limits.header_bytes else header[: limits.kept_id_bytes]).split(None, 1)
    return words[0] if words else b""


def record_ids_of(headers: Sequence[bytes], limits: Limits) -> list[bytes]:
    """The first words of several such header lines."""
    if max(map(len, headers), default=0) > limits.header_bytes:
        return [record_id_of(header, limits) for header in headers]
    return [words[0] if words else b"" for words in map(bytes.split, headers, repeat(None), repeat(1))]


def description_of(header: bytes, limits: Limits) -> bytes:
    """The rest of a header line behind the id; empty if there is none, or if the header is too long."""
    words = header.split(None, 1) if len(header) <= limits.header_bytes else []
    return words[1].rstrip() if len(words) > 1 else b""


def illegal_letter(body: bytes, *, line: int, rule: LetterRule = OUR_LETTERS) -> str:
    """Describe the first illegal character of sequence lines that begin on `line`; empty if there is none."""
    found = rule.illegal.search(body)
    if found is None:
        return ""
    at = found.start()
    character = found[0]
    line += body.count(b"\n", 0, at)
    where = f"illegal character {shown_character(character)} on line {line}"
    upper = body[at : at + _SAMPLE_BYTES].upper()
    if character.upper() in _PROTEIN_ONLY and any(letter in upper for letter in PROTEIN_CERTAIN):
        return f"{where}: this looks like protein"
    if body.startswith(BYTE_ORDER_MARK, at):
        return f"{where}: a byte order mark, so files were joined here; remove it"
    if not character.isascii():
        return f"{where}: bases are plain ASCII letters; save the file as plain text"
    return where + _EXPLANATIONS.get(character.upper(), "")


_EXPLANATIONS = {
    b"-": ": a gap, so this looks like an alignment; remove the gaps",
    b".": ": a gap, so this looks like an alignment; remove the gaps",
    b"\0": ": a NUL byte, so the file is damaged",
    b"*": ": a stop, so this looks like protein",
    b"X": ": write N for an unknown base",
    b">": ": a header must begin its line",
    b"@": ": this looks like FASTQ inside FASTA",
    b";": ": comments are not read; remove the line",
    b"#": ": comments are not read; remove the line",
    b"\x1a": ": a DOS end-of-file mark; remove it",
} | {bytes([digit]): ": remove the numbers" for digit in b"0123456789"}


def problem_of(
    *, header_length: int, record_id: bytes, length: int, illegal: str, limits: Limits, needs_id: bool = True
) -> str:
    """Describe the first problem of a record; empty if it has none. A sequence without a letter is none."""
    if header_length > limits.header_bytes:
        return f"the header has {header_length:,} bytes, more than the limit of {limits.header_bytes:,}"
    if needs_id and not record_id:
        return "empty id" if length else "empty id and empty sequence"
    if illegal:
        return illegal
    if length > limits.bases:
        return f"the sequence has {length:,} bases, more than the limit of {limits.bases:,}"
    return ""


def shown_character(character: bytes) -> str:
    """A byte as printable text for a message."""
    return repr(character.decode("ascii")) if character.isascii() else f"byte 0x{character.hex()}"


def shown(text: bytes) -> str:
    """Input bytes as printable text for a message, at most SHOWN_CHARACTERS; bytes that are not UTF-8 are escaped."""
    decoded = text[: 4 * SHOWN_CHARACTERS].decode("utf-8", "backslashreplace")
    escaped = printable(decoded)
    return escaped if len(escaped) <= SHOWN_CHARACTERS else escaped[: SHOWN_CHARACTERS - 1] + "…"
