"""Counts of records and chunks in the result tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from virnucpro_tasks.output.evidence import Evidence
from virnucpro_tasks.output.records import RecordSummary
from virnucpro_tasks.reads.record import shown
from virnucpro_tasks.reads.tables import Status

PROBLEMS_KEPT = 10
STRONGEST_KEPT = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """A record called virus, as run.json and messages name it: its id is escaped and may be cut."""

    record_id: str
    input: str
    length: int
    virus_score: float
    scored_chunks: int
    evidence: Evidence

    @property
    def rank(self) -> tuple[int, float]:
        """Sorts the strongest first: those of the highest evidence, and of these the highest score."""
        return list(Evidence).index(self.evidence), -self.virus_score


@dataclass(slots=True)
class ResultCounts:
    """Counts over the tables. `records` and `chunks` count by status; `virus_records` are called virus.

    `called` counts by status the records that have a call.
    `short_records` are scored but shorter than half a chunk. `problems` tells of the first PROBLEMS_KEPT records that
    are invalid or quarantined, each with its input, its id, escaped, and the reason. `bases` are of all records,
    `virus_bases` and `virus_evidence` of those called virus, of which `strongest` are the first STRONGEST_KEPT by rank.
    """

    records: Counter[Status] = field(default_factory=Counter)
    chunks: Counter[Status] = field(default_factory=Counter)
    frames: int = 0
    virus_records: int = 0
    virus_chunks: int = 0
    short_records: int = 0
    problems: list[str] = field(default_factory=list)
    bases: int = 0
    virus_bases: int = 0
    virus_evidence: Counter[Evidence] = field(default_factory=Counter)
    strongest: list[Hit] = field(default_factory=list)
    called: Counter[Status] = field(default_factory=Counter)

    def count_record(self, record: RecordSummary, *, input_name: str, chunk_length: int) -> None:
        self.records[record.status] += 1
        self.called[record.status] += record.call is not None
        self.chunks[Status.SCORED] += record.scored_chunks
        self.chunks[Status.NO_OPEN_FRAME] += record.no_open_frame_chunks
        self.chunks[Status.QUARANTINED] += record.quarantined_chunks
        if record.partial_frame_chunks:
            self.chunks[Status.PARTIAL_FRAME] += record.partial_frame_chunks
        self.frames += record.frames
        self.virus_records += record.is_virus
        self.virus_chunks += record.virus_chunks
        self.short_records += record.status == Status.SCORED and 2 * record.length < chunk_length
        self.bases += record.length
        if record.is_virus:
            self._count_virus(record, input_name=input_name)
        is_problem = record.status == Status.INVALID or record.quarantined_chunks > 0
        if is_problem and len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(f"{input_name}, record {shown(record.record_id)!r}: {record.note}")

    def _count_virus(self, record: RecordSummary, *, input_name: str) -> None:
        evidence = record.evidence or Evidence.LOW
        self.virus_bases += record.length
        self.virus_evidence[evidence] += 1
        hit = Hit(
            shown(record.record_id), input_name, record.length, record.virus_score, record.scored_chunks, evidence
        )
        if len(self.strongest) < STRONGEST_KEPT or hit.rank < self.strongest[-1].rank:
            self._keep_strongest([hit])

    def _keep_strongest(self, hits: Iterable[Hit]) -> None:
        # Sorting keeps the order of the input where ranks are equal.
        self.strongest = sorted([*self.strongest, *hits], key=lambda hit: hit.rank)[:STRONGEST_KEPT]

    @classmethod
    def total(cls, parts: Iterable[ResultCounts]) -> ResultCounts:
        """The counts of all parts together."""
        counts = cls()
        for part in parts:
            counts.add(part)
        return counts

    def add(self, others: ResultCounts) -> None:
        """Add the counts of the records that follow."""
        self.records.update(others.records)
        self.chunks.update(others.chunks)
        self.called.update(others.called)
        self.frames += others.frames
        self.virus_records += others.virus_records
        self.virus_chunks += others.virus_chunks
        self.short_records += others.short_records
        self.problems += others.problems[: PROBLEMS_KEPT - len(self.problems)]
        self.bases += others.bases
        self.virus_bases += others.virus_bases
        self.virus_evidence.update(others.virus_evidence)
        self._keep_strongest(others.strongest)
