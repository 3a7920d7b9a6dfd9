"""The errors that a user can meet, with their data, and the exit codes."""

from __future__ import annotations

import copyreg
from enum import IntEnum
from pathlib import Path
from typing import Any


class ExitCode(IntEnum):
    """Exit codes of `virnucpro`; documented in docs/outputs.md."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    BAD_INPUT = 3
    UNREACHABLE = 4
    JOB_FAILED = 5
    INCOMPLETE = 6
    """The job finished, but some records were invalid or quarantined and have no score."""
    UNWRITTEN = 7
    """Standard output, which a command was asked to fill, could not be written: a full disk, or it is closed."""
    TIMED_OUT = 8
    """A job has not ended within the time that a command was to wait; it goes on."""
    INTERRUPTED = 130


def printable(text: str) -> str:
    """`text` with control characters escaped: text from files and file names must not control a terminal."""
    # Nearly all texts are, which one call finds out.
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(number: int, noun: str) -> str:
    """`number` with its noun in the singular or the plural, as messages say it: `1 record`, `2,000 records`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def percent(part: float, whole: float, *, decimals: int = 0, sign: str = "%") -> str:
    """A part of a whole in percent: 100 only for all of it and 0 only for nothing, else at most `>99%`."""
    least = 10.0**-decimals
    if 0 < part < whole:
        value = round(100 * part / whole, decimals)
        if not least <= value <= 100 - least:
            bound, relation = (least, "<") if value < least else (100 - least, ">")
            return f"{relation}{bound:.{decimals}f}{sign}"
    return f"{100 * part / whole:.{decimals}f}{sign}"


def size_text(size: float) -> str:
    """A size in bytes in its largest decimal unit."""
    for unit, unit_bytes in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= unit_bytes:
            return f"{size / unit_bytes:,.1f} {unit}"
    return f"{size:,.0f} B"


def clock_text(seconds: float) -> str:
    """`h:mm:ss` or `m:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def install_hint(extra: str) -> str:
    """The command that installs the packages of an extra; the package is on no registry."""
    return f"pip install '.[{extra}]' in a clone of the project, or with the path of its wheel for the dot"


class VirnucproError(Exception):
    """Base of all errors meant for a user: `what` went wrong, and a `hint` what to do. `str` is safe to print."""

    exit_code: ExitCode = ExitCode.UNEXPECTED
    is_final: bool = False
    """Whether every other worker would fail in the same way."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return printable(f"{self.where}{self.what} ({self.hint})" if self.hint else f"{self.where}{self.what}")

    @property
    def where(self) -> str:
        """The place of the error, such as a file or a job, as the beginning of the message."""
        return ""

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls the class with the positional arguments alone, and its keyword arguments would be missing.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class InputError(VirnucproError):
    """An input file cannot be read, or is malformed."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(
        self, what: str, *, file: str, record: str | None = None, line: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(what, hint=hint)
        self.file = file
        self.record = record
        self.line = line

    @property
    def where(self) -> str:
        where = self.file
        if self.line is not None:
            where += f", line {self.line}"
        if self.record is not None:
            where += f", record {self.record!r}"
        return f"{where}: " if where else ""


class SettingsError(VirnucproError):
    """A setting, flag or environment variable has no valid value. It may name the `setting`, and the `source` of it."""

    exit_code = ExitCode.USAGE

    def __init__(self, what: str, *, hint: str = "", setting: str = "", source: str = "") -> None:
        super().__init__(what, hint=hint)
        self.setting = setting
        self.source = source

    @property
    def where(self) -> str:
        return f"{self.source}: " if self.source else ""


class OutputError(VirnucproError):
    """The output folder cannot be used."""

    exit_code = ExitCode.USAGE


class UnwrittenError(VirnucproError):
    """Standard output cannot be written."""

    exit_code = ExitCode.UNWRITTEN


class EmptyInputError(InputError):
    """An input file holds nothing, or no read beside `skipped_alignments` that repeat reads of other files."""

    def __init__(self, what: str, *, file: str, line: int | None = None, skipped_alignments: int = 0) -> None:
        super().__init__(what, file=file, line=line)
        self.skipped_alignments = skipped_alignments


class BrokerError(VirnucproError):
    """Redis cannot be reached or started, or no worker answers."""

    exit_code = ExitCode.UNREACHABLE


class FullBrokerError(BrokerError):
    """Redis has used the memory that it may, and takes nothing new."""


class NoRoomError(BrokerError):
    """Redis answers, and has less memory left than a job needs."""


class DownloadError(VirnucproError):
    """A file cannot be fetched: no connection, a refusal, or a server that does not answer as it should."""

    exit_code = ExitCode.UNREACHABLE


class BackendError(VirnucproError):
    """A requested device, attention backend or precision is not available here."""

    exit_code = ExitCode.USAGE


class MissingDeviceError(BackendError):
    """A device that was named is not there, or not yet."""


class LimitError(VirnucproError):
    """A limit of this host leaves too little to run in: open files, processes, shared memory, memory."""

    exit_code = ExitCode.UNREACHABLE


class WorkerError(VirnucproError):
    """The workers of a one-shot run die again and again."""

    exit_code = ExitCode.UNREACHABLE


class BundleError(VirnucproError):
    """A model bundle or weight file is missing, damaged or of the wrong kind."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, what: str, *, path: Path | None = None, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.path = path

    @property
    def where(self) -> str:
        return f"{self.path}: " if self.path is not None else ""


class StoreError(VirnucproError):
    """The store cannot be written or read: a full disk, a read-only mount, missing rights, a broken disk.

    `may_pass` says that it may work again although nobody does anything about it, as after a cut of the network.
    """

    exit_code = ExitCode.JOB_FAILED

    def __init__(self, what: str, *, hint: str = "", may_pass: bool = False) -> None:
        super().__init__(what, hint=hint)
        self.may_pass = may_pass


class DamagedError(VirnucproError):
    """A file of a job is missing, or is not as it was written."""

    exit_code = ExitCode.JOB_FAILED

    def __init__(self, path: Path | str, *, hint: str = "") -> None:
        super().__init__(f"{path} is missing or damaged", hint=hint)
        self.path = Path(path)


class JobError(VirnucproError):
    """A job is unknown, in the wrong state, or has failed."""

    exit_code = ExitCode.JOB_FAILED

    def __init__(self, what: str, *, job_id: str, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.job_id = job_id

    @property
    def where(self) -> str:
        return f"job {self.job_id}: " if self.job_id else ""


class WaitedLongEnoughError(JobError):
    """A job has not ended within the time that a command was to wait for it."""

    exit_code = ExitCode.TIMED_OUT


class OtherBuildError(JobError):
    """A job belongs to workers or commands of another build of this package."""


class JobDamagedError(JobError):
    """The description of a job, job.json, is not as it was written."""
