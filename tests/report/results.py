"""What tests of the report share: results of a job made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from output.tables import Chunk, shard_of, write

from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.models.sizes import FittedRecordScore

CHUNK = 500
LIKE_ITS_FRAMES = RecordScore(FittedRecordScore(intercept=0, slope=1, slope_per_log_frames=0))
"""A record whose frames are alike has their score."""


def record(number: int, record_id: bytes, *scores: float | None, **changed: Any) -> list[Chunk]:
    """The chunks of one record, each with the P(virus) of its only frame, or None without an open frame."""
    return [
        Chunk(
            number,
            record_id,
            place + 1,
            place * CHUNK,
            (place + 1) * CHUNK,
            len(scores) * CHUNK,
            virus=[] if score is None else [score],
            status="no_open_frame" if score is None else "scored",
            reason="no frame without a stop codon" if score is None else "",
            **changed,
        )
        for place, score in enumerate(scores)
    ]


def write_tables(folder: Path, *records: list[Chunk]) -> Path:
    """Write the result tables of some records into `folder`, scored LIKE_ITS_FRAMES."""
    shard = shard_of([chunk for chunks in records for chunk in chunks])
    write(folder, *([replace(shard, record_score=LIKE_ITS_FRAMES)] if records else []))
    return folder


def run_json(**changed: Any) -> dict[str, Any]:
    """The content of run.json as far as reports need it."""
    statuses = ("scored", "no_open_frame", "too_short", "invalid", "quarantined")
    return {
        "exit_code": 0,
        "summary": "",
        "warnings": [],
        "problems": [],
        "inputs": [{"name": "folder/reads.fasta", "bytes": 1, "sha256": "0" * 64}],
        "model": {"name": "model", "digest": "1" * 64},
        "parameters": {
            "chunk_length": CHUNK,
            "outputs": {
                "prefix": "",
                "report": True,
                "cutoffs": {"min_score": 0.5, "min_length": 0, "min_scored_fraction": 0.0},
            },
        },
        "counts": {"records": dict.fromkeys(statuses, 0), "chunks": {}, "protein_tokens": 7},
        "versions": {"virnucpro-tasks": "1.0"},
        "sha256": {"records.tsv": "", "chunks.tsv": ""},
        "times": {
            "created_at": "2026-01-02T03:04:05+00:00",
            "finished_at": "2026-01-02T03:05:05+00:00",
            "seconds": 60.0,
            "finishing_seconds": 0.5,
        },
    } | changed
