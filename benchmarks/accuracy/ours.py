"""This package: its command, and its records.tsv."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from benchmarks.accuracy.tool_scores import ToolScores, number, one_file, read_rows
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.scored_records import score_column

TABLE = "records.tsv"


def command(contigs: Path, folder: Path, *, arguments: str) -> list[str]:
    """The command line of `virnucpro predict` with these arguments, as a shell would split them."""
    given = ["predict", str(contigs), "--output", str(folder), "--no-report", "--incomplete-ok"]
    return [sys.executable, "-m", "virnucpro_tasks.cli.main", *given, *shlex.split(arguments)]


def read(folder: Path) -> ToolScores:
    """Scores of the column `virus_score`, or `mean_viral_score` in tables of earlier versions; calls; `fdr` if there.

    Raises InputError for a missing table or column.
    """
    table = one_file(folder, TABLE)
    rows = read_rows(table, ("record_id", "call"))
    if not rows:
        raise InputError("holds no record", file=str(table))
    try:
        column = score_column(tuple(rows[0]))
    except ValueError as error:
        raise InputError(str(error), file=str(table), line=1) from None
    scores = {row["record_id"]: value for row in rows if (value := number(row, column, table)) is not None}
    fdr = {}
    if "fdr" in rows[0]:
        fdr = {row["record_id"]: value for row in rows if (value := number(row, "fdr", table)) is not None}
    return ToolScores(scores, {row["record_id"]: row["call"] == "virus" for row in rows}, fdr, column)
