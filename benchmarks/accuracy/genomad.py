"""geNomad (Camargo et al. 2023): its command, and its two tables.

`PREFIX_aggregated_classification.tsv` has a row for every sequence, with the columns seq_name, chromosome_score,
plasmid_score and virus_score, which add up to 1. `PREFIX_virus_summary.tsv` has a row for every sequence that passed
the filters as a virus, with seq_name, virus_score, fdr (NA unless scores are calibrated) and more; a provirus in it is
named SEQUENCE|provirus_START_END. PREFIX is the name of the input without its ending.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.accuracy.tool_scores import ToolScores, number, one_file, read_rows

PROGRAM = "genomad"
SCORES = "*_aggregated_classification.tsv"
PROVIRUS_SCORES = "*_provirus_aggregated_classification.tsv"
CALLS = "*_virus_summary.tsv"
_PROVIRUS = "|provirus_"


def command(contigs: Path, folder: Path, *, database: Path, threads: int) -> list[str]:
    """The command line that classifies `contigs` into `folder`; `database` is geNomad's own."""
    options = ["--cleanup", "--threads", str(threads)]
    return [PROGRAM, "end-to-end", *options, str(contigs), str(folder), str(database)]


def read(folder: Path) -> ToolScores:
    """Scores of all sequences, and calls: a sequence is called virus if it, or a provirus in it, passed the filters.

    Raises InputError for a missing table or column.
    """
    table = one_file(folder, SCORES, but=PROVIRUS_SCORES)
    rows = read_rows(table, ("seq_name", "virus_score"))
    scores = {row["seq_name"]: value for row in rows if (value := number(row, "virus_score", table)) is not None}
    calls = dict.fromkeys(scores, False)
    fdr = {}
    summary = one_file(folder, CALLS)
    for row in read_rows(summary, ("seq_name", "virus_score", "fdr")):
        name, _, provirus = row["seq_name"].partition(_PROVIRUS)
        calls[name] = True
        if not provirus and (rate := number(row, "fdr", summary)) is not None:
            fdr[name] = rate
    return ToolScores(scores, calls, fdr)
