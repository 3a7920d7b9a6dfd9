"""contigs.tsv, column by column: the calls of the Broad Institute's pipeline, as `classifier.contig_call` makes them.

Columns and values are those of the pipeline's own table, which other programs of it read. It lists records with a
scored chunk in natural order of their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from virnucpro_tasks.classifier.contig_call import ContigCalls, contig_calls
from virnucpro_tasks.output.fields import SEPARATOR, csv_texts, decimals, integers, names
from virnucpro_tasks.output.natural_order import natural_keys
from virnucpro_tasks.output.records import RecordSummary
from virnucpro_tasks.output.table import Column, Table, TableStyle, table_of


@dataclass(frozen=True, slots=True)
class Contigs:
    """Records with a scored chunk, and their calls."""

    records: Sequence[RecordSummary]
    called: ContigCalls

    @property
    def ids(self) -> list[bytes]:
        return [record.record_id for record in self.records]


def _called(name: str) -> Callable[[Contigs, TableStyle], Iterable[Any]]:
    """A value of every call."""
    return lambda contigs, _: getattr(contigs.called, name)


def _counted(name: str) -> Callable[[Contigs, TableStyle], Iterable[Any]]:
    """A number of chunks of every contig."""
    value = attrgetter(f"contig.{name}")
    return lambda contigs, _: map(value, contigs.records)


CONTIG_COLUMNS: tuple[Column[Contigs], ...] = (
    Column("ID", "id in the input", csv_texts, lambda contigs, _: contigs.ids),
    Column(
        "call",
        "`Viral` if `weighted_delta`, before it is rounded, is above 0.3, `Non-viral` if it is below −0.3, else "
        "`Ambiguous`",
        names,
        _called("calls"),
    ),
    Column(
        "tier",
        "`high_confidence`, `moderate_confidence`, `low_confidence` or `review`, see below",
        names,
        _called("tiers"),
    ),
    Column(
        "weighted_delta",
        "mean of d over the scored chunks, weighted by the root of its size, rounded to three decimals",
        decimals,
        _called("weighted_deltas"),
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
        _called("viral_proportions"),
    ),
    Column(
        "nonviral_proportion",
        "the same of `n_confident_nonviral`",
        decimals,
        _called("nonviral_proportions"),
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
    scored = [record for record in records if record.contig.chunks]
    contigs = Contigs(scored, contig_calls([record.contig for record in scored]))
    keyed = zip(natural_keys(contigs.ids), _ALL_ROWS.lines(contigs, style), strict=True)
    return [key + SEPARATOR + line for key, line in keyed]


CONTIGS = Table(
    _ALL_ROWS.name,
    _ALL_ROWS.meaning,
    _ALL_ROWS.header,
    _contig_lines,
    is_sorted=lambda style: True,
    has_sort_key=True,
    is_prefixed=True,
)
