"""The sequences of a job's staged input, for what looks at letters and not at vectors."""

from __future__ import annotations

from virnucpro_tasks.jobs import Job
from virnucpro_tasks.reads.records import read_records
from virnucpro_tasks.reads.sources import open_input


def input_sequences(job: Job) -> list[bytes]:
    """All of them, upper case, in the order of records.tsv. All are in memory at once."""
    found: list[bytes] = []
    for ordinal, entry in enumerate(job.spec.inputs):
        with open_input(job.paths.input(ordinal), name=entry.name) as stream:
            found += [record.sequence for record in read_records(stream, name=entry.name)]
    return found
