"""virus_summary.tsv, column by column: the records called virus, in the columns of geNomad's table of that name."""

from __future__ import annotations

from collections.abc import Sequence

from virnucpro_tasks.output.fields import NOT_AVAILABLE, csv_texts, fractions, integers, scores
from virnucpro_tasks.output.records import RecordSummary, false_discovery_rates
from virnucpro_tasks.output.table import Column, Table, TableStyle, table_of

Rows = Sequence[RecordSummary]


def _absent(name: str) -> Column[Rows]:
    """A column of geNomad's for which there is nothing here."""
    return Column(name, "`NA`", list, lambda records, _: [NOT_AVAILABLE] * len(records))


VIRUS_SUMMARY_COLUMNS: tuple[Column[Rows], ...] = (
    Column("seq_name", "id in the input", csv_texts, lambda records, _: [record.record_id for record in records]),
    Column("length", "bases", integers, lambda records, _: [record.length for record in records]),
    _absent("topology"),
    _absent("coordinates"),
    _absent("n_genes"),
    _absent("genetic_code"),
    Column(
        "virus_score",
        "`virus_score` of `records.tsv`, with four decimals",
        fractions,
        lambda records, _: [record.virus_score for record in records],
    ),
    Column("fdr", "`fdr` of `records.tsv`", scores, false_discovery_rates),
    _absent("n_hallmarks"),
    _absent("marker_enrichment"),
    _absent("taxonomy"),
)

_ALL_ROWS = table_of(
    VIRUS_SUMMARY_COLUMNS,
    name="virus_summary.tsv",
    meaning="one row for every record called virus, in the columns of geNomad's table of that name, in input order",
    is_prefixed=True,
)


def _virus_lines(records: Rows, style: TableStyle) -> list[bytes]:
    return _ALL_ROWS.lines([record for record in records if record.is_virus], style)


VIRUS_SUMMARY = Table(_ALL_ROWS.name, _ALL_ROWS.meaning, _ALL_ROWS.header, _virus_lines, is_prefixed=True)
