"""contigs.tsv, column by column: the calls of the Broad Institute's pipeline, as `classifier.contig_call` makes them.

Columns and values are those of the pipeline's own table, which other programs of it read. It lists records with a
scored chunk in natural order of their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from virnucpro_tasks.classifier.contig_call import ContigCall, contig_call
from virnucpro_tasks.output.fields import SEPARATOR, csv_texts, decimals, integers, names
from virnucpro_tasks.output.natural_order import natural_key
from virnucpro_tasks.output.records import RecordSummary
from virnucpro_tasks.output.table import Column, Table, TableStyle, table_of

Contigs = Sequence[tuple[RecordSummary, ContigCall]]
"""Records with a scored chunk, and their calls."""


def _called(name: str) -> Callable[[Contigs, TableStyle], Iterable[Any]]:
    """A value of every call."""
    value = attrgetter(name)
    return lambda contigs, _: [value(call) for _, call in contigs]


def _counted(name: str) -> Callable[[Contigs, TableStyle], Iterable[Any]]:
    """A number of chunks of every contig."""
    value = attrgetter(name)
    return lambda contigs, _: [value(record.contig) for record, _ in contigs]


CONTIG_COLUMNS: tuple[Column[Contigs], ...] = (
    Column("ID", "id in the input", csv_texts, lambda contigs, _: [record.record_id for record, _ in contigs]),
    Column(
        "call",
        "`Viral` if `weighted_delta`, before it is rounded, is above 0.3, `Non-viral` if it is below −0.3, else "
        "`Ambiguous`",
        names,
        _called("call"),
    ),
    Column(
        "tier",
        "`high_confidence`, `moderate_confidence`, `low_confidence` or `review`, see below",
        names,
        _called("tier"),
    ),
    Column(
        "weighted_delta",
        "mean of d over the scored chunks, weighted by the root of its size, rounded to three decimals",
        decimals,
        _called("weighted_delta"),
    ),
    Column("n_chunks", "scored chunks", integers, _counted("chunks")),
    Column(
        "n_confident_viral",
        "chunks with `max_score_1` above 0.8 and `max_score_0` below 0.3",
        integers,
        _counted("confident_viral"),
    ),
    Column(
        "n_confident_nonviral",
        "chunks with `max_score_0` above 0.8 and `max_score_1` below 0.3",
        integers,
        _counted("confident_nonviral"),
    ),
    Column("n_ambiguous", "chunks with both scores above 0.7", integers, _counted("ambiguous")),
    Column(
        "viral_proportion",
        "`n_confident_viral` by the chunks that are not ambiguous, rounded to three decimals; 0 if all are",
        decimals,
        _called("viral_proportion"),
    ),
    Column(
        "nonviral_proportion",
        "the same of `n_confident_nonviral`",
        decimals,
        _called("nonviral_proportion"),
    ),
)

_ALL_ROWS = table_of(
    CONTIG_COLUMNS,
    name="contigs.tsv",
    meaning="one row for every record with a scored chunk, called as the Broad Institute's pipeline does it, in "
    "natural order of ids",
    is_prefixed=True,
)


def _contig_lines(records: Sequence[RecordSummary], style: TableStyle) -> list[bytes]:
    contigs = [(record, contig_call(record.contig)) for record in records if record.contig.chunks]
    lines = _ALL_ROWS.lines(contigs, style)
    return [natural_key(record.record_id) + SEPARATOR + line for (record, _), line in zip(contigs, lines, strict=True)]


CONTIGS = Table(
    _ALL_ROWS.name,
    _ALL_ROWS.meaning,
    _ALL_ROWS.header,
    _contig_lines,
    is_sorted=lambda style: True,
    has_sort_key=True,
    is_prefixed=True,
)
