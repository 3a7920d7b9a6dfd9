"""All files of a finished job, in the order of docs/outputs.md. Another table is an entry of one of these tuples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from virnucpro_tasks.output.chunk_scores import INTERVAL_FILES
from virnucpro_tasks.output.chunks import CHUNKS
from virnucpro_tasks.output.contigs import CONTIG_FILES
from virnucpro_tasks.output.legacy import LEGACY_CHUNKS, LEGACY_FRAMES
from virnucpro_tasks.output.records import RECORDS, WrittenRecords
from virnucpro_tasks.output.region_files import REGION_FILES
from virnucpro_tasks.output.samples import SAMPLES
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.sequences import VIRUS_SEQUENCES
from virnucpro_tasks.output.spans import SpanFiles
from virnucpro_tasks.output.table import Table
from virnucpro_tasks.output.virus_summary import VIRUS_SUMMARY
from virnucpro_tasks.paths import COMMIT_MARK, LOG_FILE

RECORD_TABLES: tuple[Table[WrittenRecords], ...] = (RECORDS, VIRUS_SEQUENCES, VIRUS_SUMMARY)
"""Written from the summaries of complete records."""

SHARD_TABLES: tuple[Table[ScoredRows], ...] = (CHUNKS, LEGACY_FRAMES, LEGACY_CHUNKS)
"""Written from the chunk rows of each shard."""

SPAN_FILES: tuple[SpanFiles[Any], ...] = (CONTIG_FILES, REGION_FILES, INTERVAL_FILES)
"""Written from runs of chunks in a record, of which the next shard may have a part."""

DEMONSTRATION_FILE = "DEMONSTRATION.txt"
REPORT_FILE = "report.html"
MULTIQC_STATISTICS = "virnucpro_mqc.json"
MULTIQC_GRAPH = "virnucpro_records_mqc.json"
CRATE_FILE = "ro-crate-metadata.json"
TIMED_FILES: tuple[str, ...] = (REPORT_FILE, CRATE_FILE)
"""Files that tell times. Their digests are under `times` in run.json, so that equal work gives an equal rest of it."""

TABLES: tuple[Table[Any], ...] = (
    *RECORD_TABLES,
    *SHARD_TABLES,
    *(table for files in SPAN_FILES for table in files.tables),
)

FILES = {
    **{table.name: table.meaning for table in (*TABLES, SAMPLES)},
    REPORT_FILE: "what came out, as a page to look at and to show; not with `--no-report`",
    MULTIQC_STATISTICS: "columns for the general statistics of MultiQC, a row for every sample",
    MULTIQC_GRAPH: "a bar graph for MultiQC: records by call, or by status",
    CRATE_FILE: "provenance, for machines: a Process Run Crate (RO-Crate)",
    COMMIT_MARK: (
        "summary, counts, warnings, inputs, parameters, model, what the engine did, versions, SHA-256 of the tables, "
        "times; written last"
    ),
    LOG_FILE: "the same as readable text, without times",
    DEMONSTRATION_FILE: "only there if the bundle is a demonstration: draw no conclusions from the scores",
}
"""Names and meanings."""

SAMPLE_FILES = (*(table.name for table in TABLES), DEMONSTRATION_FILE)
"""Those that each sample of a sample sheet has in the folder of its name."""

PREFIXED_FILES = frozenset(
    (REPORT_FILE, MULTIQC_STATISTICS, MULTIQC_GRAPH, *(table.name for table in TABLES if table.is_prefixed))
)
"""Those whose names begin with the prefix of the job."""


def file_places(*, prefix: str = "", samples: Iterable[str] = ()) -> list[str]:
    """The places of all files in the folder of results, of a job with `samples` those in their folders, too."""
    samples = list(samples)
    names = [name for name in FILES if samples or name != SAMPLES.name]
    places = [file_name(name, prefix=prefix) for name in names]
    return [*places, *(f"{sample}/{file_name(name, prefix=prefix)}" for sample in samples for name in SAMPLE_FILES)]


def file_name(name: str, *, prefix: str) -> str:
    """The name of one of FILES in a job with this prefix."""
    return prefix + name if name in PREFIXED_FILES else name
