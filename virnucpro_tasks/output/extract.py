"""Writes sequences of records from a folder of results and the inputs of its job, without computing anything."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import msgspec

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.jobs.find_inputs import require_inputs
from virnucpro_tasks.jobs.output_options import Cutoffs
from virnucpro_tasks.jobs.progress import Times, UsedParameters
from virnucpro_tasks.models.sizes import CLASSES
from virnucpro_tasks.output.fields import NOT_AVAILABLE
from virnucpro_tasks.output.records import FALSE_DISCOVERY_COLUMN, RECORDS, SCORE_COLUMN, score_column
from virnucpro_tasks.output.selection import SelectedRecord, SelectedRecords, is_selected
from virnucpro_tasks.output.sequences import VirusSequences
from virnucpro_tasks.paths import COMMIT_MARK, LOG_FILE
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.reads.sources import is_compressed, open_input
from virnucpro_tasks.system.file_operations import exists, persistently
from virnucpro_tasks.system.files import READ_BLOCK_BYTES, decode, file_matches, file_sha256, read_object

RECORDS_AT_ONCE = 1_000
NAME_THEM = "name the inputs of the job behind the folder of results"


class ReportedInput(msgspec.Struct, frozen=True):
    """The entries of an input in run.json that are needed to find it again."""

    name: str
    sha256: str
    sample: str = ""


class ReportedRates(msgspec.Struct, frozen=True):
    """The entries of `fdr` in run.json that tell whether there are rates; results of earlier versions have none."""

    refusal: str = "the results are of an earlier version"


class Report(msgspec.Struct, frozen=True):
    """The entries of run.json that are needed to find the inputs and the files of results."""

    inputs: list[ReportedInput]
    sha256: dict[str, str]
    fdr: ReportedRates = ReportedRates()
    parameters: UsedParameters = UsedParameters()
    times: Times = Times()


@dataclass(frozen=True, slots=True)
class Results:
    """The table of records in a folder of results, and the inputs of its rows, in their order; `others` are not.

    `files` are all that the job wrote, `score` is the column of the table by which records are called. `no_rates` tells
    why the table has no false-discovery rates; it is empty if it has them. `compat` says by whose rules they were read.
    """

    table: Path
    files: Sequence[Path]
    inputs: Sequence[ReportedInput]
    others: Sequence[ReportedInput] = ()
    score: str = SCORE_COLUMN
    no_rates: str = ""
    compat: Compat = Compat.NONE


def open_results(folder: Path) -> Results:
    """Find the table of a job, or of one of its samples if `folder` is that of a sample.

    Raises InputError for a folder without such a table, or with one that was changed, DamagedError for run.json.
    """
    root, sample = folder.absolute(), ""
    if not exists(root / COMMIT_MARK) and exists(root.parent / COMMIT_MARK):
        root, sample = root.parent, root.name
    if not exists(root / COMMIT_MARK):
        raise InputError(
            f"this is no folder of results: it has no {COMMIT_MARK}",
            file=str(folder),
            hint="name the folder of --output, or that of one of its samples",
        )
    report = decode(read_object(root / COMMIT_MARK), Report, path=root / COMMIT_MARK)
    name = f"{sample}/{RECORDS.name}" if sample else RECORDS.name
    if name not in report.sha256:
        what = f"{COMMIT_MARK} lists no {name}"
        raise InputError(f"{what}: nothing was scored" if not sample else what, file=str(folder))
    table = folder / RECORDS.name
    if not file_matches(table, report.sha256[name]):
        raise InputError("it is not as it was written", file=str(table), hint="copy the results again")
    inputs = [entry for entry in report.inputs if sample in ("", entry.sample)]
    files = [root / name for name in (*report.sha256, *report.times.sha256, COMMIT_MARK, LOG_FILE)]
    with table.open("rb") as handle:
        score = score_column(handle.readline().decode(errors="replace").split())
    others = [entry for entry in report.inputs if entry not in inputs]
    return Results(table, files, inputs, others, score, report.fdr.refusal, report.parameters.compat)


def find_inputs(results: Results, given: Sequence[Path] = ()) -> list[ReadInput]:
    """The inputs of the table in its order: the files `given`, in any order, or those that the job read, at their
    places. A file counts by its content; one that is compressed also by what it holds, as a pipe gave it to the job.

    Raises InputError for a file that is missing or has another content.
    """
    if not given:
        return [replace(_at_its_place(entry), compat=results.compat) for entry in results.inputs]
    known = {entry.sha256 for entry in (*results.inputs, *results.others)}
    found: dict[str, Path] = {}
    for path in given:
        digest = next((digest for digest in _digests(path) if digest in known), None)
        if digest is None:
            raise _changed(str(path), hint="name the files that the job read")
        found.setdefault(digest, path)
    missing = [entry.name for entry in results.inputs if entry.sha256 not in found]
    if missing:
        raise InputError("none of the files that are named has its content", file=missing[0], hint="name it, too")
    files = [found[entry.sha256] for entry in results.inputs]
    return [ReadInput(path, str(path), compat=results.compat) for path in files]


def _at_its_place(entry: ReportedInput) -> ReadInput:
    path = Path(entry.name)
    if not exists(path):
        raise InputError("there is no such file here", file=entry.name, hint=NAME_THEM)
    if entry.sha256 not in _digests(path):
        raise _changed(entry.name, hint=NAME_THEM)
    return ReadInput(path, entry.name)


def _changed(name: str, *, hint: str) -> InputError:
    return InputError("the results are not of this file, or it was changed since", file=name, hint=hint)


def _digests(path: Path) -> Iterator[str]:
    """SHA-256 (hex) of a file, and if it is compressed, of what it holds."""
    require_inputs([path])
    if not path.is_file():
        raise InputError("it can be read only once, and is compared before", file=str(path), hint="name a file")
    yield persistently(lambda: file_sha256(path))
    if is_compressed(path):
        digest = hashlib.sha256()
        with open_input(path, name=str(path)) as stream:
            while block := stream.read(READ_BLOCK_BYTES):
                digest.update(block)
        yield digest.hexdigest()


def extract(
    results: Results, inputs: Sequence[ReadInput], cutoffs: Cutoffs, write: Callable[[bytes], object]
) -> VirusSequences:
    """Write the sequences of the records within `cutoffs` as FASTA; returns the counts of what was written."""
    with closing(VirusSequences(inputs, write)) as sequences:
        rows = selected_rows(results.table, cutoffs)
        while some := SelectedRecords.of(islice(rows, RECORDS_AT_ONCE)):
            sequences.add(some)
    return sequences


def selected_rows(table: Path, cutoffs: Cutoffs) -> Iterator[SelectedRecord]:
    """The records within the cutoffs, from the rows of records.tsv. Raises InputError for a file that is no such."""
    csv.field_size_limit(1 << 30)
    # As Latin-1, in which each byte is a letter and comes back as it was.
    with table.open("rb") as handle, io.TextIOWrapper(handle, encoding="latin-1", newline="") as text:
        rows = csv.reader(text, delimiter="\t")
        header = next(rows, [])
        names = ("record_id", "length", "chunks", "scored_fraction", score_column(header), "call")
        if missing := [name for name in names if name not in header]:
            raise InputError(f"it has no column {missing[0]!r}", file=str(table))
        record_id, length, chunks, fraction, score, call = map(header.index, names)
        rate = header.index(FALSE_DISCOVERY_COLUMN) if FALSE_DISCOVERY_COLUMN in header else None
        for number, row in enumerate(rows):
            if row[call] in CLASSES and is_selected(
                cutoffs,
                is_virus=row[call] == "virus",
                score=row[score].encode(),
                length=int(row[length]),
                scored_fraction=row[fraction].encode(),
                fdr=NOT_AVAILABLE if rate is None else row[rate].encode(),
            ):
                yield SelectedRecord(
                    number, int(row[length]), int(row[chunks]), row[score].encode(), row[record_id].encode("latin-1")
                )
