"""virus_summary.tsv, column by column: the records called virus, in the columns of geNomad's table of that name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from virnucpro_tasks.output.fields import NOT_AVAILABLE, csv_texts, fractions, integers, score_texts
from virnucpro_tasks.output.records import RecordSummary, WrittenRecords
from virnucpro_tasks.output.table import Column, Table, TableStyle, table_of


@dataclass(frozen=True, slots=True)
class Viruses:
    """Records called virus, and P(virus) and the text of the rate of each."""

    records: Sequence[RecordSummary]
    scores: list[float]
    rate_texts: list[bytes]

    @classmethod
    def of(cls, written: WrittenRecords) -> Viruses:
        places = np.flatnonzero(written.are_virus)
        return cls(
            [written.records[place] for place in places.tolist()],
            written.scores[places].tolist(),
            [written.rate_texts[place] for place in places.tolist()],
        )

    def __len__(self) -> int:
        return len(self.records)


def _absent(name: str) -> Column[Viruses]:
    """A column of geNomad's for which there is nothing here."""
    return Column(name, "`NA`", list, lambda viruses, _: [NOT_AVAILABLE] * len(viruses))


VIRUS_SUMMARY_COLUMNS: tuple[Column[Viruses], ...] = (
    Column(
        "seq_name", "id in the input", csv_texts, lambda viruses, _: [record.record_id for record in viruses.records]
    ),
    Column("length", "bases", integers, lambda viruses, _: [record.length for record in viruses.records]),
    _absent("topology"),
    _absent("coordinates"),
    _absent("n_genes"),
    _absent("genetic_code"),
    Column(
        "virus_score",
        "`virus_score` of `records.tsv`, with four decimals",
        fractions,
        lambda viruses, _: viruses.scores,
    ),
    Column("fdr", "`fdr` of `records.tsv`", score_texts, lambda viruses, _: viruses.rate_texts),
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
    viruses = Viruses.of(written)
    return _ALL_ROWS.lines(viruses, style) if viruses else []


VIRUS_SUMMARY = Table(_ALL_ROWS.name, _ALL_ROWS.meaning, _ALL_ROWS.header, _virus_lines, is_prefixed=True)
