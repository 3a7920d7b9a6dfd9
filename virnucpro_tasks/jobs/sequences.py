"""Reads ids or sequences of input records, for uses that need no vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.reads.records import read_records
from virnucpro_tasks.reads.sources import open_input


def record_ids(inputs: Sequence[Path]) -> Iterator[tuple[str, int]]:
    """Yield the id of each record, as results name it, and the 0-based number of its file. Raises InputError."""
    for ordinal, path in enumerate(inputs):
        with open_input(path, name=str(path)) as stream:
            for record in read_records(stream, name=str(path)):
                yield record.record_id.decode(errors="replace"), ordinal


def input_sequences(job: Job) -> list[bytes]:
    """The sequences of all records of a job, upper case, in the order of records.tsv; all in memory at once."""
    found: list[bytes] = []
    for ordinal, entry in enumerate(job.spec.inputs):
        with open_input(job.paths.input(ordinal), name=entry.name) as stream:
            found += [record.sequence for record in read_records(stream, name=entry.name)]
    return found
