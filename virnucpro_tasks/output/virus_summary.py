"""virus_summary.tsv, column by column: the records called virus, in the columns of geNomad's table of that name."""

from __future__ import annotations

from itertools import compress

from virnucpro_tasks.output.fields import NOT_AVAILABLE, csv_texts, fractions, integers, score_texts
from virnucpro_tasks.output.records import WrittenRecords
from virnucpro_tasks.output.table import Column, Table, TableStyle, table_of


def _absent(name: str) -> Column[WrittenRecords]:
    """A column of geNomad's for which there is nothing here."""
    return Column(name, "`NA`", list, lambda written, _: [NOT_AVAILABLE] * len(written))


VIRUS_SUMMARY_COLUMNS: tuple[Column[WrittenRecords], ...] = (
    Column(
        "seq_name", "id in the input", csv_texts, lambda written, _: [record.record_id for record in written.records]
    ),
    Column("length", "bases", integers, lambda written, _: [record.length for record in written.records]),
    _absent("topology"),
    _absent("coordinates"),
    _absent("n_genes"),
    _absent("genetic_code"),
    Column(
        "virus_score",
        "`virus_score` of `records.tsv`, with four decimals",
        fractions,
        lambda written, _: written.scores,
    ),
    Column("fdr", "`fdr` of `records.tsv`", score_texts, lambda written, _: written.rate_texts),
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


def _virus_lines(written: WrittenRecords, style: TableStyle) -> list[bytes]:
    places = list(compress(range(len(written)), written.calls))
    return _ALL_ROWS.lines(written.at(places), style) if places else []


VIRUS_SUMMARY = Table(_ALL_ROWS.name, _ALL_ROWS.meaning, _ALL_ROWS.header, _virus_lines, is_prefixed=True)
