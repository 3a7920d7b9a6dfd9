"""records.tsv and chunks.tsv: one row for every record and every chunk, in input order."""

from __future__ import annotations

from virnucpro_tasks.output.fields import NOT_AVAILABLE, score_field, table_line, text_field
from virnucpro_tasks.output.records import RecordSummary
from virnucpro_tasks.output.scored import STATUSES, ScoredRows
from virnucpro_tasks.reads.tables import Status

RECORD_COLUMNS = (
    "record_id",
    "input",
    "record",
    "length",
    "status",
    "chunks",
    "scored_chunks",
    "no_open_frame_chunks",
    "quarantined_chunks",
    "virus_chunks",
    "scored_fraction",
    "highest_viral_score",
    "mean_viral_score",
    "call",
    "reason",
    "model",
)
CHUNK_COLUMNS = (
    "record_id",
    "record",
    "chunk",
    "start",
    "end",
    "status",
    "frames",
    "highest_viral_score",
    "mean_viral_score",
    "call",
    "reason",
    "model",
)
CALLS = (b"others", b"virus")


def record_row(record: RecordSummary, *, input_name: bytes, model: bytes) -> bytes:
    """One line of records.tsv; `input_name` and `model` are fields as they are written."""
    scored = record.status == Status.SCORED
    return table_line(
        text_field(record.record_id),
        input_name,
        b"%d" % (record.ordinal + 1),
        b"%d" % record.length,
        record.status.encode(),
        b"%d" % record.chunks,
        b"%d" % record.scored_chunks,
        b"%d" % record.no_open_frame_chunks,
        b"%d" % record.quarantined_chunks,
        b"%d" % record.virus_chunks,
        b"%.4f" % record.scored_fraction,
        score_field(record.highest) if scored else NOT_AVAILABLE,
        score_field(record.mean),
        CALLS[record.is_virus] if scored else NOT_AVAILABLE,
        text_field(record.note.encode()),
        model,
    )


def chunk_rows(rows: ScoredRows, *, model: bytes) -> bytes:
    """The lines of chunks.tsv; a record without chunks has none."""
    scores = rows.scores
    columns = zip(
        rows.ids,
        rows.records.tolist(),
        rows.chunks.tolist(),
        rows.starts.tolist(),
        rows.ends.tolist(),
        rows.status.tolist(),
        scores.frames.tolist(),
        scores.highest_virus.tolist(),
        scores.means,
        scores.is_virus.tolist(),
        rows.reasons,
        strict=True,
    )
    statuses = [status.encode() for status in STATUSES]
    return b"".join(
        table_line(
            text_field(record_id),
            b"%d" % (record + 1),
            b"%d" % chunk,
            b"%d" % start,
            b"%d" % end,
            statuses[status],
            b"%d" % frames,
            score_field(highest) if frames else NOT_AVAILABLE,
            score_field(mean),
            CALLS[is_virus] if frames else NOT_AVAILABLE,
            text_field(reason.encode()),
            model,
        )
        for record_id, record, chunk, start, end, status, frames, highest, mean, is_virus, reason in columns
        if chunk
    )
