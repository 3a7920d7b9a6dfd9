"""Counts of records and chunks in the result tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress, islice
from operator import attrgetter

from virnucpro_tasks.output.evidence import Evidence
from virnucpro_tasks.output.records import RecordSummary, WrittenRecords
from virnucpro_tasks.reads.record import shown
from virnucpro_tasks.reads.tables import Status

PROBLEMS_KEPT = 10
STRONGEST_KEPT = 5
SHORT_READ = 300
"""Bases of the shortest records that the published classifiers were trained on."""

CHUNK_COUNTS = {
    Status.SCORED: "scored_chunks",
    Status.NO_OPEN_FRAME: "no_open_frame_chunks",
    Status.QUARANTINED: "quarantined_chunks",
    Status.PARTIAL_FRAME: "partial_frame_chunks",
}
"""Fields of a record with its numbers of chunks by status."""

_EVIDENCE_RANKS = {evidence: rank for rank, evidence in enumerate(Evidence)}


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
        return rank_of(self.evidence, self.virus_score)


def rank_of(evidence: Evidence, score: float) -> tuple[int, float]:
    """The key that sorts the strongest first: those of the highest evidence, and of these the highest score."""
    return _EVIDENCE_RANKS[evidence], -score


@dataclass(slots=True)
class ResultCounts:
    """Counts over the tables. `records` and `chunks` count by status; `virus_records` are called virus.

    `called` counts by status the records that have a call.
    `short_records` have a score but are shorter than half a chunk, `short_reads` than SHORT_READ bases. `problems` is
    about the first PROBLEMS_KEPT records that are invalid or quarantined, each with its input, its id, escaped, and the
    reason. `bases` are of all records, `virus_bases` and `virus_evidence` of those called virus, of which `strongest`
    are the first STRONGEST_KEPT by rank. `sequences` are records that virus.fasta.gz is to hold.
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
    sequences: int = 0
    short_reads: int = 0

    @property
    def answered(self) -> int:
        """Records with a score, be it by segments, by their reverse complement or by their length alone."""
        others = (Status.PARTIAL_FRAME, Status.NO_OPEN_FRAME, Status.QUARANTINED)
        return self.records[Status.SCORED] + sum(self.called[status] for status in others)

    def count_records(self, written: WrittenRecords, *, input_names: Sequence[str], chunk_length: int) -> None:
        """Count records; `input_names` are by input ordinal, `chunk_length` is in bases."""
        records = written.records
        statuses = [record.status for record in records]
        is_called = [call is not None for call in written.calls]
        self.records.update(statuses)
        self.called.update(compress(statuses, is_called))
        for status, field_name in CHUNK_COUNTS.items():
            if number := _sum(field_name, records):
                self.chunks[status] += number
        self.frames += _sum("frames", records)
        self.virus_chunks += _sum("virus_chunks", records)
        self.bases += _sum("length", records)
        lengths = [record.length for record in compress(records, is_called)]
        self.short_records += sum(2 * length < chunk_length for length in lengths)
        self.short_reads += sum(length < SHORT_READ for length in lengths)
        for record in compress(records, written.calls):
            self._count_virus(record, input_name=input_names[record.input_ordinal])
        if len(self.problems) < PROBLEMS_KEPT:
            self._tell_problems(records, input_names)

    def _tell_problems(self, records: Iterable[RecordSummary], input_names: Sequence[str]) -> None:
        found = (it for it in records if it.status == Status.INVALID or it.quarantined_chunks > 0)
        for record in islice(found, PROBLEMS_KEPT - len(self.problems)):
            name = input_names[record.input_ordinal]
            self.problems.append(f"{name}, record {shown(record.record_id)!r}: {record.note}")

    def _count_virus(self, record: RecordSummary, *, input_name: str) -> None:
        evidence = record.evidence or Evidence.LOW
        self.virus_records += 1
        self.virus_bases += record.length
        self.virus_evidence[evidence] += 1
        rank = rank_of(evidence, record.virus_score)
        if len(self.strongest) < STRONGEST_KEPT or rank < self.strongest[-1].rank:
            name = shown(record.record_id)
            hit = Hit(name, input_name, record.length, record.virus_score, record.scored_chunks, evidence)
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
        if not others.records:
            # Most pieces of the tables complete no record.
            return
        self.records.update(others.records)
        self.chunks.update(others.chunks)
        self.called.update(others.called)
        self.frames += others.frames
        self.virus_records += others.virus_records
        self.virus_chunks += others.virus_chunks
        self.short_records += others.short_records
        self.short_reads += others.short_reads
        self.problems += others.problems[: PROBLEMS_KEPT - len(self.problems)]
        self.bases += others.bases
        self.virus_bases += others.virus_bases
        self.virus_evidence.update(others.virus_evidence)
        self.sequences += others.sequences
        self._keep_strongest(others.strongest)


def _sum(name: str, records: Iterable[RecordSummary]) -> int:
    """The sum of a field over records."""
    return sum(map(attrgetter(name), records))
