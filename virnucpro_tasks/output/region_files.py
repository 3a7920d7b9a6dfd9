"""virus_regions.bed and virus_regions.gff3, column by column: a line for every region, in input order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from virnucpro_tasks.classifier.consensus import mean_virus_score
from virnucpro_tasks.output.fields import header_line, integer_texts, integers, joined, score_texts
from virnucpro_tasks.output.regions import VirusRegion, settled_regions, virus_regions
from virnucpro_tasks.output.sequence_names import bed_names, gff_names
from virnucpro_tasks.output.spans import SpanFiles
from virnucpro_tasks.output.table import Column, TableStyle, table_of

MOST_BED_SCORE = 1000
GFF_HEADER = b"##gff-version 3\n"
NOTHING = b"."


@dataclass(frozen=True, slots=True)
class WrittenRegions:
    """Values of regions, column by column, most of them as the texts that both files have of them."""

    record_ids: Sequence[bytes]
    numbers: list[bytes]
    names: list[bytes]
    starts: Sequence[int]
    ends: list[bytes]
    chunk_ranges: list[bytes]
    chunks: list[bytes]
    frames: list[bytes]
    means: list[float]
    scores: Sequence[bytes]
    highest: Sequence[bytes]

    @classmethod
    def of(cls, regions: list[VirusRegion], style: TableStyle) -> WrittenRegions:
        columns = zip(*regions, strict=True) if regions else [()] * len(VirusRegion.__match_args__)
        ordinals, record_ids, first_chunks, last_chunks, starts, ends, frames, virus_sums, _, means, highest = columns
        numbers = integers([ordinal - style.first_record + 1 for ordinal in ordinals])
        firsts, lasts = integers(first_chunks), integers(last_chunks)
        return cls(
            record_ids=record_ids,
            numbers=numbers,
            names=joined(b"_", [b"region"] * len(numbers), numbers, firsts),
            starts=starts,
            ends=integers(ends),
            chunk_ranges=joined(b"-", firsts, lasts),
            chunks=integers(last - first + 1 for first, last in zip(first_chunks, last_chunks, strict=True)),
            frames=integers(frames),
            means=list(map(mean_virus_score, virus_sums, frames)),
            scores=means,
            highest=highest,
        )

    def __len__(self) -> int:
        return len(self.names)


def _written(name: str) -> Callable[[WrittenRegions, TableStyle], Iterable[Any]]:
    """A value of every region."""
    return lambda written, _: getattr(written, name)


def _everywhere(value: bytes) -> Callable[[WrittenRegions, TableStyle], Iterable[bytes]]:
    return lambda written, _: [value] * len(written)


CHUNKS: Column[WrittenRegions] = Column("chunks", "number of its chunks", integer_texts, _written("chunks"))
FRAMES: Column[WrittenRegions] = Column("frames", "number of scored frames in them", integer_texts, _written("frames"))
HIGHEST: Column[WrittenRegions] = Column(
    "highest_viral_score", "highest P(virus) of these frames", score_texts, _written("highest")
)

BED_COLUMNS: tuple[Column[WrittenRegions], ...] = (
    Column("chrom", "id in the input, escaped", bed_names, _written("record_ids")),
    Column("chromStart", "start, 0-based, on the forward strand", integers, _written("starts")),
    Column("chromEnd", "end, excluded", integer_texts, _written("ends")),
    Column("name", "`region_`, number of the record, `_`, number of its first chunk: unique", list, _written("names")),
    Column(
        "score",
        "`virus_score` in thousandths",
        integers,
        lambda written, _: np.rint(MOST_BED_SCORE * np.array(written.means)).astype(np.int64).tolist(),
    ),
    Column("strand", "`.`: frames of both strands count", list, _everywhere(NOTHING)),
    # A browser that takes this column for the bounds of a thick line sees that it is none, and leaves the rest alone.
    Column("chunk_range", "numbers of its first and its last chunk, such as `3-7`", list, _written("chunk_ranges")),
    CHUNKS,
    FRAMES,
    Column("virus_score", "mean P(virus) of these frames", score_texts, _written("scores")),
    HIGHEST,
)

GFF_ATTRIBUTES: tuple[Column[WrittenRegions], ...] = (
    Column("ID", "the `name` in virus_regions.bed", list, _written("names")),
    Column(
        "Name",
        "`chunks` and the numbers of the first and the last, for browsers to show",
        list,
        lambda written, _: joined(b" ", [b"chunks"] * len(written), written.chunk_ranges),
    ),
    Column(
        "record",
        "number of the record, from 1, over all files of the job, or of the sample",
        integer_texts,
        _written("numbers"),
    ),
    CHUNKS,
    FRAMES,
    HIGHEST,
)


def _attributes(written: WrittenRegions, style: TableStyle) -> list[bytes]:
    pieces = []
    for column, begin in zip(GFF_ATTRIBUTES, _ATTRIBUTE_BEGINS, strict=True):
        pieces += [[begin] * len(written), column.write(column.values(written, style))]
    return joined(b"", *pieces)


_ATTRIBUTE_BEGINS = [
    b"%b%b=" % (b";" if place else b"", column.name.encode()) for place, column in enumerate(GFF_ATTRIBUTES)
]


GFF_COLUMNS: tuple[Column[WrittenRegions], ...] = (
    Column("seqid", "id in the input, escaped", gff_names, _written("record_ids")),
    Column("source", "`virnucpro`", list, _everywhere(b"virnucpro")),
    Column("type", "`viral_sequence`, SO:0001041 of the Sequence Ontology", list, _everywhere(b"viral_sequence")),
    Column(
        "start",
        "start, 1-based, on the forward strand",
        integers,
        lambda written, _: [start + 1 for start in written.starts],
    ),
    Column("end", "end, included", integer_texts, _written("ends")),
    Column("score", "mean P(virus) of the scored frames in its chunks", score_texts, _written("scores")),
    Column("strand", "`.`: frames of both strands count", list, _everywhere(NOTHING)),
    Column("phase", "`.`: it is no coding sequence", list, _everywhere(NOTHING)),
    Column("attributes", "`name=value`, separated by semicolons", list, _attributes),
)

REGION_FILES = SpanFiles(
    (
        replace(
            table_of(
                BED_COLUMNS,
                name="virus_regions.bed",
                meaning="one row for every run of neighbouring chunks called virus, in input order",
                is_prefixed=True,
            ),
            header=lambda style: b"#" + header_line([column.name for column in BED_COLUMNS]),
        ),
        replace(
            table_of(GFF_COLUMNS, name="virus_regions.gff3", meaning="the same regions as GFF3", is_prefixed=True),
            header=lambda style: GFF_HEADER,
        ),
    ),
    virus_regions,
    settled_regions,
    WrittenRegions.of,
)
