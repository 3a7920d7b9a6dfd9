"""samples.tsv: one row for every sample of a sample sheet, in the order of the sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from virnucpro_tasks.output.counts import ResultCounts
from virnucpro_tasks.output.fields import integers, texts
from virnucpro_tasks.output.table import Column, TableStyle, table_of
from virnucpro_tasks.reads.tables import Status


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """The counts of a sample of `files` input files."""

    name: str
    files: int
    counts: ResultCounts


def _numbers(of: Callable[[SampleCounts], int]) -> Callable[[Sequence[SampleCounts], TableStyle], list[int]]:
    return lambda samples, _: [of(sample) for sample in samples]


def _records(status: Status) -> Column[Sequence[SampleCounts]]:
    meaning, is_there = f"records with the status `{status}`", lambda style: True
    if status is Status.PARTIAL_FRAME:
        meaning, is_there = f"{meaning}; only there with `--coverage segments`", lambda style: style.has_segments
    return Column(status.value, meaning, integers, _numbers(lambda it: it.counts.records[status]), is_there)


SAMPLE_COLUMNS: tuple[Column[Sequence[SampleCounts]], ...] = (
    Column(
        "sample",
        "name of the sample, and of the folder of its tables",
        texts,
        lambda samples, _: [sample.name.encode() for sample in samples],
    ),
    Column("files", "number of its input files", integers, _numbers(lambda it: it.files)),
    Column("records", "records in them", integers, _numbers(lambda it: it.counts.records.total())),
    Column("virus", "records called virus", integers, _numbers(lambda it: it.counts.virus_records)),
    *map(_records, Status),
    Column("virus_chunks", "chunks called virus", integers, _numbers(lambda it: it.counts.virus_chunks)),
    Column("scored_chunks", "chunks that have a score", integers, _numbers(lambda it: it.counts.chunks[Status.SCORED])),
)

SAMPLES = table_of(SAMPLE_COLUMNS, name="samples.tsv", meaning="one row for every sample; only with `--samples`")
