"""Jaeger (Wijesekara et al.): its command, and its table.

`INPUT_jaeger.tsv` (or `INPUT_MODEL_jaeger.tsv`) has a row for every sequence at least as long as the window (2,000
bases), with the columns contig_id, length, prediction, a column CLASS_score for each class of the model (the mean logit
over the windows: bacteria, phage, eukarya, archaea, in newer models also plasmid and virus) and more. Its subset
`…_phages_jaeger.tsv` is not read. Versions differ in upper and lower case.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.accuracy.tool_scores import Row, ToolScores, number, one_file, read_rows

PROGRAM = "jaeger"
TABLE = "*_jaeger.tsv"
SUBSETS = ("*_phages_jaeger.tsv", "prophages_jaeger.tsv")
CLASSES = ("bacteria", "phage", "eukarya", "archaea", "plasmid", "virus")
VIRAL = ("phage", "virus")


def command(contigs: Path, folder: Path, *, threads: int) -> list[str]:
    """The command line that classifies `contigs` into `folder`."""
    return [PROGRAM, "predict", "-i", str(contigs), "-o", str(folder), "--workers", str(threads)]


def read(folder: Path) -> ToolScores:
    """Scores: the softmax of the mean logits, summed over viral classes. Called virus is what is predicted as such.

    Raises InputError for a missing table or column.
    """
    table = one_file(folder, TABLE, but=SUBSETS)
    scores, calls = {}, {}
    for row in read_rows(table, ("contig_id", "prediction")):
        name = row["contig_id"]
        calls[name] = row["prediction"].lower() in VIRAL
        if (score := _viral_share(row, table)) is not None:
            scores[name] = score
    return ToolScores(scores, calls)


def _viral_share(row: Row, table: Path) -> float | None:
    columns = {column.lower(): column for column in row if column is not None}
    logits = {
        name: value
        for name in CLASSES
        if (column := columns.get(f"{name}_score")) is not None and (value := number(row, column, table)) is not None
    }
    if not any(name in logits for name in VIRAL):
        return None
    highest = max(logits.values())
    shares = {name: float(np.exp(value - highest)) for name, value in logits.items()}
    return sum(shares.get(name, 0.0) for name in VIRAL) / sum(shares.values())
