"""All files of a finished job, in the order of docs/outputs.md. Another table is an entry of one of these tuples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from virnucpro_tasks.output.chunks import CHUNKS
from virnucpro_tasks.output.legacy import LEGACY_CHUNKS, LEGACY_FRAMES
from virnucpro_tasks.output.records import RECORDS, RecordSummary
from virnucpro_tasks.output.samples import SAMPLES
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.table import Table
from virnucpro_tasks.paths import COMMIT_MARK, LOG_FILE

RECORD_TABLES: tuple[Table[Sequence[RecordSummary]], ...] = (RECORDS,)
"""Written from the summaries of complete records."""

SHARD_TABLES: tuple[Table[ScoredRows], ...] = (CHUNKS, LEGACY_FRAMES, LEGACY_CHUNKS)
"""Written from the chunk rows of each shard."""

DEMONSTRATION_FILE = "DEMONSTRATION.txt"

TABLES: tuple[Table[Any], ...] = (*RECORD_TABLES, *SHARD_TABLES)

FILES = {
    **{table.name: table.meaning for table in (*TABLES, SAMPLES)},
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
