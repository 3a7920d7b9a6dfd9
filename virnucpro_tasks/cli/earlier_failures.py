"""failed_files.txt of the earlier package, in which its scripts look for what has failed."""

from __future__ import annotations

import os
from pathlib import Path

from virnucpro_tasks.errors import OutputError, printable
from virnucpro_tasks.jobs.progress import RECORDS_FILE
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import exists, read_bytes
from virnucpro_tasks.system.files import write_bytes

FAILED_FILE = "failed_files.txt"
FAILED_STAGES = {b"quarantined": b"ESM-2", b"invalid": b"CHUNKING"}
"""The stage of the earlier package that is named for such a record, by its status."""


def require_free_failures(output: Path, *, force: bool) -> None:
    """Raise OutputError if failed_files.txt is in `output` already, unless it is to be replaced."""
    place = output / FAILED_FILE
    if os.path.lexists(place) and (not force or (place.is_dir() and not place.is_symlink())):
        raise OutputError(f"{place} exists already", hint="move it away, or use --force to replace it")


def put_failures(results: Path, output: Path, source: Path, *, force: bool) -> None:
    """Write a line `path|stage|message` for each record of `source` that has no score, or not for all of its chunks.

    Without such there is no file, and one from before is removed if it is to be replaced. Raises OutputError.
    """
    place = output / FAILED_FILE
    content = failures(results / RECORDS_FILE, source)
    try:
        if os.path.lexists(place) and not (content and place.is_file() and read_bytes(place) == content):
            require_free_failures(output, force=force)
            place.unlink()
        if content:
            write_bytes(place, content)
    except OSError as error:
        cause = cause_of(error, place)
        raise OutputError(f"{place} cannot be written: {cause.words}", hint=cause.advice) from error


def failures(records: Path, source: Path) -> bytes:
    """The content of failed_files.txt for a records.tsv; nothing for a job without one."""
    if not exists(records):
        return b""
    path = printable(str(source)).encode(errors="backslashreplace")
    lines = []
    with records.open("rb") as table:
        columns = {name: place for place, name in enumerate(table.readline().rstrip(b"\n").split(b"\t"))}
        for line in table:
            fields = line.rstrip(b"\n").split(b"\t")
            status = b"quarantined" if fields[columns[b"quarantined_chunks"]] != b"0" else fields[columns[b"status"]]
            if stage := FAILED_STAGES.get(status):
                message = b"record %b: %b" % (fields[columns[b"record_id"]], fields[columns[b"reason"]])
                lines.append(b"|".join([path, stage, message]) + b"\n")
    return b"".join(lines)
