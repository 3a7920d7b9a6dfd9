"""Reads sample sheets: tables that say which input files belong to which sample."""

from __future__ import annotations

import csv
import re
import sys
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.jobs.find_inputs import NAMED, input_problem
from virnucpro_tasks.jobs.staging import STANDARD_INPUT, STANDARD_INPUT_NAME, unreadable
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.system.file_operations import by_name

SAMPLE, FILE, SECOND_FILE = COLUMNS = ("sample", "file", "file2")
ALIASES = {"fastq_1": FILE, "fastq_2": SECOND_FILE}
"""Names of the columns in the sheets of nf-core."""

MOST_BYTES = 16 * 2**20
MOST_SAMPLES = 10_000
"""Each sample makes a folder of results, and a shard of its own at least."""
MOST_NAME_BYTES = 200
_NAME = re.compile(r"\w[\w.-]*")
_DESCRIPTOR_FOLDERS = ("/dev", "/dev/fd", "/proc/self/fd")
_DELIMITERS = "\t,;"

_HEADER_HINT = "the first line names the columns: sample,file or sample,file,file2"
_NAME_HINT = "it names a folder: letters, digits, '_', '-' and '.', the first one a letter, a digit or '_'"
_TEXT_HINT = "save it as CSV in UTF-8"


@dataclass(slots=True)
class _Sheet:
    """The samples of a sheet, from the lines that were read so far."""

    name: str
    folder: Path
    reserved: Collection[str]
    inputs: dict[str, list[ReadInput]] = field(default_factory=dict)
    samples: dict[str, tuple[str, int]] = field(default_factory=dict)
    files: dict[tuple[int, int], int] = field(default_factory=dict)
    problems: list[tuple[int, InputError]] = field(default_factory=list)

    def add(self, row: dict[str, str], line: int) -> None:
        """Add a line of the table."""
        sample = row[SAMPLE]
        self._check_name(sample, line)
        if not row[FILE]:
            raise self.error(f"sample {sample!r} has no file in the column {FILE!r}", line)
        second = row.get(SECOND_FILE, "")
        mates = ((row[FILE], 1), (second, 2)) if second else ((row[FILE], 0),)
        for entry, mate in mates:
            path = self.folder / entry
            listed = ReadInput(path, str(path), sample=sample, mate=mate, listed=f"{self.name}, line {line}")
            self._check_file(listed, entry, line)
            self.inputs.setdefault(sample, []).append(listed)

    def error(self, what: str, line: int, *, hint: str = "") -> InputError:
        return InputError(what, file=self.name, line=line, hint=hint)

    def _check_name(self, sample: str, line: int) -> None:
        if not sample:
            raise self.error(f"the column {SAMPLE!r} is empty", line)
        if not is_sample_name(sample):
            too_long = len(sample.encode()) > MOST_NAME_BYTES
            what = f"the name has more than {MOST_NAME_BYTES} bytes" if too_long else "this cannot be a sample's name"
            raise self.error(f"sample {sample[:MOST_NAME_BYTES]!r}: {what}", line, hint=_NAME_HINT)
        alike = unicodedata.normalize("NFKC", sample).casefold()
        if alike in self.reserved:
            raise self.error(
                f"sample {sample!r}: the folder of results has a file of this name", line, hint="name it otherwise"
            )
        known, first_line = self.samples.setdefault(alike, (sample, line))
        if known != sample:
            raise self.error(
                f"sample {sample!r} differs from {known!r} of line {first_line} in case alone",
                line,
                hint="write one sample alike in all its lines; give two samples two names",
            )
        if len(self.samples) > MOST_SAMPLES:
            raise self.error(f"these are more than {MOST_SAMPLES:,} samples", line, hint="divide the sheet")

    def _check_file(self, listed: ReadInput, entry: str, line: int) -> None:
        if listed.path == STANDARD_INPUT or entry == str(STANDARD_INPUT):
            raise self.error("'-' is no file: a sheet cannot list standard input", line)
        if "://" in entry:
            raise self.error(f"{entry} is an address, not a file", line, hint="download it first")
        if (problem := input_problem(listed.path)) is not None:
            self.problems.append((line, problem))
            return
        status = listed.path.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in self.files:
            raise self.error(
                f"{entry} is a file that line {self.files[identity]} lists already", line, hint="list each file once"
            )
        self.files[identity] = line


def is_sample_name(name: str) -> bool:
    """Whether a sample may have this name, which is that of a folder: no path, not hidden, no option of a command."""
    return _NAME.fullmatch(name) is not None and len(name.encode()) <= MOST_NAME_BYTES


def read_sample_sheet(sheet: Path, *, reserved: Collection[str]) -> list[ReadInput]:
    """The input files of a sample sheet (`-` is standard input), those of one sample after another.

    Samples and files keep their order. No sample may have one of the `reserved` names. Relative paths begin at the
    folder of the sheet, for a pipe at the current one. Raises InputError with the line for a sheet that is not
    understood as a whole, or lists a file that cannot be read.
    """
    name = STANDARD_INPUT_NAME if sheet == STANDARD_INPUT else str(sheet)
    rows = _rows(_text(sheet, name), name)
    header_line, header = next(rows, (1, []))
    if not header:
        raise InputError("the sample sheet is empty", file=name, hint=_HEADER_HINT)
    columns = _columns(header, name, header_line)
    found = _Sheet(name, _folder_of(sheet), {entry.casefold() for entry in reserved})
    for line, fields in rows:
        if any(fields[len(columns) :]) or any(
            value for column, value in zip(columns, fields, strict=False) if not column
        ):
            raise found.error(
                f"there are {len(fields)} fields under {len(columns)} columns",
                line,
                hint="put a field that holds the delimiter between double quotes",
            )
        values = dict(zip(columns, fields, strict=False))
        found.add({column: values.get(column, "") for column in columns if column}, line)
    if not found.samples:
        raise InputError("the sample sheet lists no sample", file=name, line=header_line, hint="a line for each file")
    if found.problems:
        raise _joined(found)
    return [listed for inputs in found.inputs.values() for listed in inputs]


def _folder_of(sheet: Path) -> Path:
    """The folder at which relative paths begin. A pipe, such as the /dev/fd/63 of a shell's `<(…)`, has none."""
    has_one = sheet.is_file() and str(sheet.parent) not in _DESCRIPTOR_FOLDERS
    return sheet.parent if has_one else Path()


def _text(sheet: Path, name: str) -> str:
    try:
        if sheet == STANDARD_INPUT:
            if sys.stdin is None:
                raise InputError("it is closed", file=name, hint="name a file, or pipe one into the command")
            content = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with by_name(lambda: sheet.open("rb"), sheet) as handle:
                content = handle.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise unreadable(error, name) from None
    if len(content) > MOST_BYTES:
        raise InputError(f"this is larger than {MOST_BYTES // 2**20} MiB: no sample sheet", file=name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("this is not text in UTF-8", file=name, hint=_TEXT_HINT) from None
    if "\0" in text:
        raise InputError("this is not plain text", file=name, hint=_TEXT_HINT)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows with the line that each begins on, without blank ones and comments; their fields are stripped."""
    lines = [("" if line.lstrip().startswith("#") else line) + "\n" for line in text.split("\n")]
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    begins = 1
    try:
        for row in reader:
            fields = [value.strip() for value in row]
            if any(fields):
                yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"this is no line of a table: {error}",
            file=name,
            line=begins,
            hint="is a field begun with a double quote not ended with one? write a quote inside a field twice",
        ) from None


def _columns(header: list[str], name: str, line: int) -> list[str]:
    """The columns by the names that this module gives them; empty for one without a name."""

    def refuse(what: str) -> InputError:
        return InputError(what, file=name, line=line, hint=_HEADER_HINT)

    columns = [ALIASES.get(title.lower(), title.lower()) for title in header]
    for required in (SAMPLE, FILE):
        if required not in columns:
            raise refuse(f"there is no column {required!r}")
    for title, column in zip(header, columns, strict=True):
        if column and column not in COLUMNS:
            raise refuse(f"the column {title!r} is not known")
        if column and columns.count(column) > 1:
            raise refuse(f"there are two columns for {column!r}")
    return columns


def _joined(sheet: _Sheet) -> InputError:
    (line, problem), *others = sheet.problems
    others_too = list(dict.fromkeys(str(number) for number, _ in others if number != line))
    what = f"{problem.file}: {problem.what}"
    if others_too:
        more = ", …" if len(others_too) > NAMED else ""
        what += f"; files of other lines cannot be read either: {', '.join(others_too[:NAMED])}{more}"
    return sheet.error(what, line, hint=problem.hint)
