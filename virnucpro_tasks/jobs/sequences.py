"""Reads ids or sequences of input records, for uses that need no vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.reads.inputs import ReadInput, each_input


def record_ids(inputs: Sequence[Path]) -> Iterator[tuple[str, int]]:
    """Yield the id of each record, as results name it, and the 0-based number of its file. Raises InputError."""
    for ordinal, records in each_input([ReadInput(path, str(path)) for path in inputs]):
        for record in records:
            yield record.record_id.decode(errors="replace"), ordinal


def input_sequences(job: Job) -> list[bytes]:
    """The sequences of all records of a job, upper case, in the order of records.tsv; all in memory at once."""
    found: list[bytes] = []
    for _, records in each_input(job.inputs):
        found += [record.sequence for record in records]
    return found
