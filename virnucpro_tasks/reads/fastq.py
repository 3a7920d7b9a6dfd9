"""Parses four-line FASTQ from blocks of bytes. Only the length of qualities is checked; they are not kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from virnucpro_tasks.errors import InputError, counted
from virnucpro_tasks.reads.letters import OUR_LETTERS, WHITE_SPACE, LetterRule
from virnucpro_tasks.reads.record import (
    Limits,
    Record,
    description_of,
    illegal_letter,
    problem_of,
    record_id_of,
    shown,
)

_FOUR_LINES_HINT = "FASTQ is read with exactly four lines a record"
_LINES = 4


def fastq_records(
    blocks: Iterable[bytes], *, line: int, name: str, limits: Limits, rule: LetterRule = OUR_LETTERS
) -> Iterator[Record]:
    """Yield the records of a FASTQ file.

    `blocks` have \\n line ends, may end anywhere and begin with the first header, which is on `line` of the file. Empty
    lines between records are skipped. Raises InputError if the four-line order is broken or the file ends inside a
    record.
    """
    rest, upper = b"", rule.upper_fastq
    for block in chain(blocks, (None,)):
        lines = (rest + (block or b"")).split(b"\n")
        # The last line may go on in the next block.
        rest = b"" if block is None else lines.pop()
        at = 0
        while at < len(lines):
            if not lines[at].strip():
                at += 1
                line += 1
                continue
            if at + _LINES > len(lines):
                if block is None and _is_empty_read(lines[at:]):
                    lines.append(b"")
                    continue
                break
            yield _record(lines[at : at + _LINES], line=line, name=name, limits=limits, rule=rule, upper=upper)
            at += _LINES
            line += _LINES
        if block is not None:
            rest = b"\n".join([*lines[at:], rest])
            if len(rest) > limits.fastq_record_bytes:
                raise InputError(
                    f"a FASTQ record has more than {limits.fastq_record_bytes:,} bytes",
                    file=name,
                    line=line,
                    hint=_FOUR_LINES_HINT,
                )
        elif at < len(lines):
            raise InputError(
                "the file ends inside a FASTQ record",
                file=name,
                record=shown(record_id_of(lines[at][1:], limits)),
                line=line,
                hint="it was cut off; copy or download it again",
            )


def _record(lines: list[bytes], *, line: int, name: str, limits: Limits, rule: LetterRule, upper: bytes) -> Record:
    header, body, plus, quality = lines
    if not header.startswith(b"@"):
        raise InputError(
            f"a FASTQ header must begin with '@', not {shown(header[:20])!r}",
            file=name,
            line=line,
            hint=_FOUR_LINES_HINT,
        )
    header = header[1:]
    record_id = record_id_of(header, limits)
    if not plus.startswith(b"+"):
        raise InputError(
            "the third line of a FASTQ record must begin with '+'",
            file=name,
            record=shown(record_id),
            line=line + 2,
            hint=_FOUR_LINES_HINT,
        )
    if len(body) != len(quality) and len(body.strip()) != len(quality.strip()):
        raise InputError(
            f"{counted(len(body.strip()), 'base')} but {counted(len(quality.strip()), 'quality value')}",
            file=name,
            record=shown(record_id),
            line=line + 3,
            hint="the file is damaged or cut off",
        )
    sequence = body.translate(upper, WHITE_SPACE)
    description = description_of(header, limits)
    if (
        record_id
        and sequence
        and not sequence.translate(None, rule.letters)
        and len(header) <= limits.header_bytes
        and len(sequence) <= limits.bases
    ):
        return Record(record_id, sequence, line, "", len(sequence), description=description)
    problem = problem_of(
        header_length=len(header),
        record_id=record_id,
        length=len(sequence),
        illegal=illegal_letter(body.replace(b".", b"N"), line=line + 1, rule=rule),
        limits=limits,
        needs_id=rule.needs_id,
    )
    kept = b"" if problem else sequence
    return Record(record_id, kept, line, problem, len(sequence), description=description)


def _is_empty_read(lines: list[bytes]) -> bool:
    """Whether these are the last lines of a file that ends behind the '+' of a read without bases."""
    return len(lines) == _LINES - 1 and not lines[1].strip() and lines[2].startswith(b"+")
