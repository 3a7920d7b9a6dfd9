"""virus_regions.bed and virus_regions.gff3, column by column: a line for every region, in input order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

from virnucpro_tasks.output.fields import header_line, integers, scores
from virnucpro_tasks.output.regions import VirusRegion, joined_regions, virus_regions
from virnucpro_tasks.output.sequence_names import bed_names, gff_names
from virnucpro_tasks.output.spans import SpanFiles
from virnucpro_tasks.output.table import Column, TableStyle, table_of

Regions = Sequence[VirusRegion]

MOST_BED_SCORE = 1000
GFF_HEADER = b"##gff-version 3\n"
NOTHING = b"."


def _each(name: str) -> Callable[[Regions, TableStyle], Iterable[Any]]:
    """A field or property of every region."""
    return lambda regions, _: map(attrgetter(name), regions)


def _everywhere(value: bytes) -> Callable[[Regions, TableStyle], Iterable[bytes]]:
    return lambda regions, _: [value] * len(regions)


def _record_number(region: VirusRegion, style: TableStyle) -> int:
    return region.ordinal - style.first_record + 1


def _region_names(regions: Regions, style: TableStyle) -> Iterable[bytes]:
    return (b"region_%d_%d" % (_record_number(region, style), region.first_chunk) for region in regions)


def _chunk_ranges(regions: Regions) -> list[bytes]:
    return [b"%d-%d" % (region.first_chunk, region.last_chunk) for region in regions]


CHUNKS: Column[Regions] = Column("chunks", "number of its chunks", integers, _each("chunks"))
FRAMES: Column[Regions] = Column("frames", "number of scored frames in them", integers, _each("frames"))
HIGHEST: Column[Regions] = Column("highest_viral_score", "highest P(virus) of these frames", scores, _each("highest"))

BED_COLUMNS: tuple[Column[Regions], ...] = (
    Column("chrom", "id in the input, escaped", bed_names, _each("record_id")),
    Column("chromStart", "start, 0-based, on the forward strand", integers, _each("start")),
    Column("chromEnd", "end, excluded", integers, _each("end")),
    Column("name", "`region_`, number of the record, `_`, number of its first chunk: unique", list, _region_names),
    Column(
        "score",
        "`virus_score` in thousandths",
        integers,
        lambda regions, _: [round(MOST_BED_SCORE * region.mean) for region in regions],
    ),
    Column("strand", "`.`: frames of both strands count", list, _everywhere(NOTHING)),
    # A browser that takes this column for the bounds of a thick line sees that it is none, and leaves the rest alone.
    Column(
        "chunk_range",
        "numbers of its first and its last chunk, such as `3-7`",
        list,
        lambda regions, _: _chunk_ranges(regions),
    ),
    CHUNKS,
    FRAMES,
    Column("virus_score", "mean P(virus) of these frames", scores, _each("mean")),
    HIGHEST,
)

GFF_ATTRIBUTES: tuple[Column[Regions], ...] = (
    Column("ID", "the `name` in virus_regions.bed", list, _region_names),
    Column(
        "Name",
        "`chunks` and the numbers of the first and the last, for browsers to show",
        list,
        lambda regions, _: [b"chunks %b" % chunk_range for chunk_range in _chunk_ranges(regions)],
    ),
    Column(
        "record",
        "number of the record, from 1, over all files of the job, or of the sample",
        integers,
        lambda regions, style: [_record_number(region, style) for region in regions],
    ),
    CHUNKS,
    FRAMES,
    HIGHEST,
)


def _attributes(regions: Regions, style: TableStyle) -> list[bytes]:
    form = b";".join(b"%b=%%b" % column.name.encode() for column in GFF_ATTRIBUTES)
    fields = (column.write(column.values(regions, style)) for column in GFF_ATTRIBUTES)
    return [form % values for values in zip(*fields, strict=True)]


GFF_COLUMNS: tuple[Column[Regions], ...] = (
    Column("seqid", "id in the input, escaped", gff_names, _each("record_id")),
    Column("source", "`virnucpro`", list, _everywhere(b"virnucpro")),
    Column("type", "`viral_sequence`, SO:0001041 of the Sequence Ontology", list, _everywhere(b"viral_sequence")),
    Column(
        "start",
        "start, 1-based, on the forward strand",
        integers,
        lambda regions, _: [region.start + 1 for region in regions],
    ),
    Column("end", "end, included", integers, _each("end")),
    Column("score", "mean P(virus) of the scored frames in its chunks", scores, _each("mean")),
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
    joined_regions,
)
