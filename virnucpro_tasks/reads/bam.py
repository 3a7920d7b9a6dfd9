"""Reads BAM, aligned or not, with pysam: every read once, in the direction in which it was sequenced."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from io import SEEK_END
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from virnucpro_tasks.errors import BackendError, EmptyInputError, InputError, VirnucproError, counted, install_hint
from virnucpro_tasks.reads.hints import shell_name
from virnucpro_tasks.reads.letters import OUR_LETTERS, LetterRule
from virnucpro_tasks.reads.originals import Original, Wanted
from virnucpro_tasks.reads.record import Limits, Record, problem_of, shown
from virnucpro_tasks.system.file_operations import by_name
from virnucpro_tasks.system.files import READ_BLOCK_BYTES

BAM_MAGIC = b"BAM\x01"
"""First bytes of a BAM file once it is unpacked."""

_FIRST_MATE, _SECOND_MATE = 0x40, 0x80
_NOT_PRIMARY = 0x100 | 0x800
"""Flags of secondary and supplementary alignments, which repeat a read, or a part of it."""

_ANY_BYTES = "surrogateescape"
"""How pysam and Python turn bytes that are no UTF-8 into text, and back into the same bytes."""
_NO_END_MARK = "EOF marker"
_COPY_HINT = "the file is damaged or was cut off; copy or download it again"


class BamReads:
    """The reads of one open BAM file. `skipped` counts the secondary and supplementary alignments passed so far."""

    is_fasta = False

    def __init__(self, file: Any, *, path: Path, name: str) -> None:
        self.skipped = 0
        self._name = name
        self._path = path
        self._file = file
        self._alignments = self._primary()
        # Read now, so that a file without any is known before somebody takes its records.
        self._first = next(self._alignments, None)
        if self._first is None:
            raise EmptyInputError(
                f"the BAM file holds no read{_alone(self.skipped)}", file=name, skipped_alignments=self.skipped
            )

    def records(self, limits: Limits, rule: LetterRule = OUR_LETTERS) -> Iterator[Record]:
        """Yield all reads, once. A read that is stored reversed and complemented is turned back.

        Raises InputError where the file is damaged or cut off.
        """
        for alignment in chain((self._first,), self._alignments):
            yield _record(alignment, limits, rule)

    def originals(self, wanted: Wanted) -> Iterator[list[Original]]:
        """Yield the wanted reads, one at a time, once, their name as the header. Raises as `records` does."""
        for alignment in chain((self._first,), self._alignments):
            wanted.passed += 1
            if wanted.take():
                yield [Original(_id_of(alignment), _letters_of(alignment))]

    def end(self) -> None:
        """Give no more reads: the library would read a closed file, from memory that is no longer its own."""
        self._alignments.close()

    def _primary(self) -> Generator[Any]:
        passed, last_id = 0, b""
        try:
            for alignment in self._file.fetch(until_eof=True):
                passed += 1
                if alignment.flag & _NOT_PRIMARY:
                    self.skipped += 1
                    continue
                last_id = _id_of(alignment)
                yield alignment
            return
        except (OSError, ValueError):
            place = f"after alignment {passed:,}" if passed else "at its first alignment"
        # Outside of the block: what pysam raises there has the number of an error that was long before.
        _require_readable(self._path, name=self._name)
        last = f", behind read {shown(last_id)!r}" if last_id else ""
        raise InputError(f"the BAM data is damaged or ends {place}{last}", file=self._name, hint=_COPY_HINT)


@contextmanager
def open_bam(path: Path, *, name: str) -> Iterator[BamReads]:
    """Open a BAM file, which errors call `name`.

    Raises BackendError without pysam, EmptyInputError for a file without reads, InputError for one that is damaged or
    does not end with the mark that BAM files end with.
    """
    pysam = _pysam(name)
    with by_name(lambda: path.open("rb", buffering=0), path) as handle:
        file = _opened(pysam, handle, path=path, name=name)
        try:
            reads = BamReads(file, path=path, name=name)
            try:
                yield reads
            finally:
                reads.end()
        finally:
            # An error while reading is raised again by closing.
            with suppress(OSError):
                file.close()


def _pysam(name: str) -> Any:
    try:
        pysam = import_module("pysam")
    except ImportError as error:
        raise BackendError(
            f"{name}: reading BAM needs pysam, which this installation lacks ({error})",
            hint=install_hint("bam"),
        ) from None
    # Its library would print messages of its own.
    pysam.set_verbosity(0)
    # Otherwise it takes a name that is no UTF-8 for damage.
    pysam.set_encoding_error_handler(_ANY_BYTES)
    return pysam


def _opened(pysam: Any, handle: BinaryIO, *, path: Path, name: str) -> Any:
    # The handle and not the path: the library takes some paths for addresses of servers.
    try:
        return pysam.AlignmentFile(handle, "rb", check_sq=False)
    except (OSError, ValueError) as error:
        problem: VirnucproError = (
            InputError(
                f"the BAM file ends at byte {handle.seek(0, SEEK_END):,} without the end mark of such files",
                file=name,
                hint=_COPY_HINT,
            )
            if _NO_END_MARK in str(error)
            else InputError(
                "the header of the BAM file is damaged",
                file=name,
                hint=f"{_COPY_HINT}; samtools quickcheck -v {shell_name(name)} tells more",
            )
        )
    _require_readable(path, name=name)
    raise problem


def _require_readable(path: Path, *, name: str) -> None:
    """Raise InputError, as for other inputs, if it is the file system that refuses to give the file's bytes."""
    try:
        with by_name(lambda: path.open("rb"), path) as handle:
            while handle.read(READ_BLOCK_BYTES):
                pass
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", file=name) from None


def _record(alignment: Any, limits: Limits, rule: LetterRule) -> Record:
    record_id = _id_of(alignment)
    sequence = _letters_of(alignment)
    flag = alignment.flag
    mate = (0, 1, 2, 0)[(flag & (_FIRST_MATE | _SECOND_MATE)) >> 6]
    if record_id and not sequence.translate(None, rule.letters) and len(sequence) <= limits.bases:
        return Record(record_id, sequence, 0, "", len(sequence), mate)
    problem = problem_of(
        header_length=len(record_id),
        record_id=record_id,
        length=len(sequence),
        illegal="illegal character '=': a base is told only as equal to a reference" if b"=" in sequence else "",
        limits=limits,
    )
    return Record(record_id, b"", 0, problem, len(sequence), mate)


def _id_of(alignment: Any) -> bytes:
    return (alignment.query_name or "").encode(errors=_ANY_BYTES)


def _letters_of(alignment: Any) -> bytes:
    return (alignment.get_forward_sequence() or "").encode()


def _alone(skipped: int) -> str:
    return f", only {counted(skipped, 'secondary or supplementary alignment')}" if skipped else ""
