"""Everything that the report page shows, read from a folder of results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.output.records import RECORDS
from virnucpro_tasks.output.tables import CRATE_FILE, FILES, REPORT_FILE, file_name
from virnucpro_tasks.paths import COMMIT_MARK, LOG_FILE
from virnucpro_tasks.report.collected import CollectedRecords
from virnucpro_tasks.report.records import Records, read_records
from virnucpro_tasks.report.tracks import Bar, read_tracks

MOST_TRACKS = 12
"""Records with a track among the strongest, and among the doubtful ones."""


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file of results, its meaning, and the next step that it is made for."""

    place: str
    meaning: str
    use: str


@dataclass(frozen=True, slots=True)
class ReportContent:
    """The content of a report: that of run.json as `run`, the records, their tracks by place, and the files."""

    run: Mapping[str, Any]
    records: Records
    tracks: Mapping[int, list[Bar]]
    files: list[ResultFile]


USES = {
    "virus.fasta.gz": "sequences to check, annotate or compare: CheckV, Pharokka, BLAST",
    "virus_regions.bed": "cut out or overlap regions: bedtools",
    "virus_regions.gff3": "show regions beside genes in a genome browser",
    "chunk_scores.bedgraph": "show scores along contigs in a genome browser",
    "virus_summary.tsv": "programs that read the virus summary of geNomad",
    "contigs.tsv": "calls and tiers for a pipeline that decides by contig",
    "records.tsv": "sort and filter records with your own cutoffs",
    "chunks.tsv": "look at the evidence in a record, chunk by chunk",
    "prediction_results.txt": "scripts made for VirNucPro",
    "prediction_results_highestscore.csv": "scripts made for VirNucPro",
    "samples.tsv": "compare samples",
    "report.html": "this page: show it to others",
    "virnucpro_mqc.json": "columns in the general statistics of a MultiQC report",
    "virnucpro_records_mqc.json": "a bar graph in a MultiQC report",
    "ro-crate-metadata.json": "archive the folder with what is known of its making",
    "run.json": "scripts, and the methods section of a paper",
    "virnucpro.log": "keep with the results",
}
"""Next steps by the name of a file, what is handed on most often first."""


def read_content(
    results: Path, run: Mapping[str, Any], *, is_new: bool = False, collected: CollectedRecords | None = None
) -> ReportContent:
    """Read the tables in `results` once each; `run` is the content of run.json. With `is_new` they were just written.

    With `collected` of the same records only the rows that are shown are read of records.tsv.

    Raises InputError for a table that is missing or damaged, OSError for one that cannot be read.
    """
    table = results / RECORDS.name
    if not table.is_file():
        raise InputError(
            "there is no records.tsv to report on",
            file=str(results),
            hint="name the folder of a finished job; a bundle without a head has no tables",
        )
    records = collected.records(table) if collected else read_records(table, most_shown=MOST_TRACKS)
    tracks = read_tracks(results / "chunks.tsv", [*records.strongest, *records.doubtful], is_new=is_new)
    return ReportContent(run, records, tracks, result_files(run))


LATER = (REPORT_FILE, CRATE_FILE)
"""Files that are written with the page or after it."""


def result_files(run: Mapping[str, Any]) -> list[ResultFile]:
    """The files that the folders of results have by run.json, in the order of USES.

    So that the page is the same when it is made again, those that are written after it are among them.
    """
    outputs = run["parameters"].get("outputs")
    prefix = outputs["prefix"] if outputs else ""
    there = {Path(place).name for place in run["sha256"]} | {COMMIT_MARK, LOG_FILE}
    if outputs:
        there |= {file_name(name, prefix=prefix) for name in LATER}
    places = {name: file_name(name, prefix=prefix) for name in dict.fromkeys((*USES, *FILES)) if name in FILES}
    return [ResultFile(place, FILES[name], USES.get(name, "")) for name, place in places.items() if place in there]
