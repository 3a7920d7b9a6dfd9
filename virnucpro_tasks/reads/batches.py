"""Reads input files, cuts records into chunks and translates these, as batches of table rows in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.chunk_frames import ChunkFrames, chunk_frames
from virnucpro_tasks.reads.chunks import all_chunk_bounds, chunk_counts, chunk_starts, reverse_chunk_bounds
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.inputs import ReadInput as ReadInput
from virnucpro_tasks.reads.inputs import each_input
from virnucpro_tasks.reads.record import DEFAULT_MIN_LENGTH, Limits, Record, shown
from virnucpro_tasks.reads.reverse_grid import ReverseGrid, reordered, with_reverse_grid
from virnucpro_tasks.reads.tables import BOTH_STRANDS_SCHEMA, CHUNK_SCHEMA, FRAME_SCHEMA, FrameBatch, Status
from virnucpro_tasks.reads.translation import CODE_ORDER

DEFAULT_BATCH_BASES = 250_000
"""Larger batches are slower: they exceed the processor's caches, and their memory is mapped anew for each batch."""
EMPTY_SEQUENCE = "empty sequence"
AMBIGUOUS_SHARE = 0.05
"""A record with a larger share of ambiguous letters is out of the range of the classifiers, which never saw any."""

_ROW_COST_BASES = 32
"""Cost of a record in a batch besides its bases and id, so that a batch of tiny records stays small too."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """How records become chunks and frames; `chunk_length` is in bases."""

    chunk_length: int
    coverage: Coverage
    both_strands: bool


def frame_batches(
    inputs: Sequence[ReadInput],
    *,
    chunk_length: int,
    min_length: int = DEFAULT_MIN_LENGTH,
    limits: Limits | None = None,
    batch_bases: int = DEFAULT_BATCH_BASES,
    strict: bool = False,
    coverage: Coverage = Coverage.FRAMES,
    both_strands: bool = False,
    skipped: Counter[int] | None = None,
    ambiguous: Counter[int] | None = None,
) -> Iterator[FrameBatch]:
    """Read all inputs in order and yield batches of chunk rows and frame rows; ordinals count records over all inputs.

    A record longer than `batch_bases` comes in several batches, cut between chunks; no batch holds records of two
    samples. Memory is that of the longest record plus a few times `batch_bases`. An empty file among others has no
    rows. `coverage` says what stands for a chunk without an open frame. With `both_strands` frames of the chunks of
    reverse complements are among the rows, and chunk rows have BOTH_STRANDS_SCHEMA. `skipped` is as in `each_input`.
    To `ambiguous` the records are added, by the number of their input, with more than AMBIGUOUS_SHARE of letters other
    than A, C, G, T.

    Raises InputError for a file that is none of sequences, if there is no valid record, if more than
    `limits.invalid_records` and more than half of the records are invalid (or nearly all are invalid or empty), and
    with `strict` for the first invalid record or empty file.
    """
    limits = limits or Limits()
    cutting = Cutting(chunk_length, coverage, both_strands)
    batch = _Batch(cutting)
    first_bad: InputError | None = None
    invalid = hollow = 0
    least_length = max(min_length, 1)
    record_ordinal = -1
    sample = ""
    for input_ordinal, records in each_input(inputs, limits=limits, strict=strict, skipped=skipped):
        source = inputs[input_ordinal]
        if source.sample != sample and batch.cost:
            yield batch.tables()
            batch = _Batch(cutting)
        sample = source.sample
        for record in records:
            if source.mate and not record.mate:
                record = record._replace(mate=source.mate)
            record_ordinal += 1
            if record.problem:
                invalid += 1
                if strict or first_bad is None:
                    first_bad = _bad_record(record, record.problem, source)
                if strict:
                    raise first_bad
                if invalid > limits.invalid_records and 2 * invalid > record_ordinal + 1:
                    raise _too_many_bad(first_bad, invalid, record_ordinal + 1)
                reason = _placed(record.problem, record)
                batch.add_unscored(record, input_ordinal, record_ordinal, Status.INVALID, reason)
            elif record.length < least_length:
                reason = _too_short(record, min_length)
                if not record.length:
                    hollow += 1
                    if first_bad is None:
                        first_bad = _bad_record(record, EMPTY_SEQUENCE, source)
                    unusable = invalid + hollow
                    if unusable > limits.invalid_records and 100 * unusable > 99 * (record_ordinal + 1):
                        raise _too_many_bad(first_bad, unusable, record_ordinal + 1)
                batch.add_unscored(record, input_ordinal, record_ordinal, Status.TOO_SHORT, reason)
            else:
                if ambiguous is not None and is_ambiguous(record.sequence):
                    ambiguous[input_ordinal] += 1
                if record.length <= batch_bases:
                    batch.add(record, input_ordinal, record_ordinal)
                else:
                    if batch.cost:
                        yield batch.tables()
                    yield from _windows(record, input_ordinal, record_ordinal, cutting, batch_bases=batch_bases)
                    batch = _Batch(cutting)
            if batch.cost >= batch_bases:
                yield batch.tables()
                batch = _Batch(cutting)
    if record_ordinal < 0:
        raise InputError("there is no input", file="(none)", hint="name at least one FASTA, FASTQ or BAM file")
    if batch.cost:
        yield batch.tables()
    if first_bad is not None and invalid and invalid + hollow == record_ordinal + 1:
        raise first_bad


def is_ambiguous(sequence: bytes) -> bool:
    """Whether more than AMBIGUOUS_SHARE of upper-case letters are none of A, C, G, T."""
    return len(sequence.translate(None, CODE_ORDER)) > AMBIGUOUS_SHARE * len(sequence)


def _too_short(record: Record, min_length: int) -> str:
    if not record.length:
        return _placed(EMPTY_SEQUENCE, record)
    return f"length {record.length}, below the minimum of {min_length} bases"


def _placed(reason: str, record: Record) -> str:
    return f"{reason} (record begins on line {record.line})" if record.line else reason


def _too_many_bad(first: InputError, invalid: int, records: int) -> InputError:
    return InputError(
        f"{first.what}, and so on: {invalid:,} of the first {records:,} records are invalid",
        file=first.file,
        record=first.record,
        line=first.line,
        hint="this is no file of sequences, or it is damaged",
    )


def _bad_record(record: Record, problem: str, source: ReadInput) -> InputError:
    return InputError(
        problem,
        file=f"{source.listed}: {source.name}" if source.listed else source.name,
        record=shown(record.record_id) or None,
        line=record.line or None,
        hint="correct or remove the record",
    )


@dataclass(slots=True)
class _Batch:
    """Collects records for one FrameBatch, column by column."""

    cutting: Cutting
    cost: int = 0
    inputs: list[int] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    mates: list[int] = field(default_factory=list)
    descriptions: list[bytes] = field(default_factory=list)
    sequences: list[bytes] = field(default_factory=list)
    faults: dict[int, tuple[str, str]] = field(default_factory=dict)

    def add(self, record: Record, input_ordinal: int, record_ordinal: int) -> None:
        self._add_row(record, input_ordinal, record_ordinal)
        self.sequences.append(record.sequence)
        self.cost += record.length

    def add_unscored(
        self, record: Record, input_ordinal: int, record_ordinal: int, status: Status, reason: str
    ) -> None:
        self.faults[len(self.ids)] = (status, reason)
        self._add_row(record, input_ordinal, record_ordinal)

    def _add_row(self, record: Record, input_ordinal: int, record_ordinal: int) -> None:
        # Columns, not a list of records: tuples that are kept cost the garbage collector time.
        self.inputs.append(input_ordinal)
        self.ordinals.append(record_ordinal)
        self.ids.append(record.record_id)
        self.lengths.append(record.length)
        self.mates.append(record.mate)
        self.descriptions.append(record.description)
        self.cost += len(record.record_id) + len(record.description) + _ROW_COST_BASES

    def tables(self) -> FrameBatch:
        lengths = np.array(self.lengths, np.int64)
        ordinals = np.array(self.ordinals, np.int64)
        scored_lengths = lengths.copy()
        scored_lengths[list(self.faults)] = 0
        offsets = np.cumsum(scored_lengths) - scored_lengths
        rows, chunks, starts, ends = all_chunk_bounds(scored_lengths, self.cutting.chunk_length)
        frames, reverse = _frames(
            b"".join(self.sequences),
            offsets[rows],
            lengths=scored_lengths[rows],
            bounds=(chunks, starts, ends),
            cutting=self.cutting,
        )
        statuses, reasons = frames.statuses, frames.reasons
        chunk_numbers, counts = chunks + 1, frames.counts
        frame_rows = _frame_table(frames, ordinals[rows], chunk_numbers)
        if self.faults:
            faulty = np.fromiter(self.faults, np.int64, len(self.faults))
            order = np.argsort(np.concatenate([rows, faulty]), kind="stable")
            rows = np.concatenate([rows, faulty])[order]
            nothing = np.zeros(len(faulty), np.int64)
            chunk_numbers, starts, ends, counts = (
                np.concatenate([column, nothing])[order] for column in (chunk_numbers, starts, ends, counts)
            )
            fault_statuses, fault_reasons = zip(*self.faults.values(), strict=True)
            statuses = pa.concat_arrays([statuses, pa.array(fault_statuses)]).take(pa.array(order))
            reasons = pa.concat_arrays([reasons, pa.array(fault_reasons)]).take(pa.array(order))
            reverse = reverse and reordered(reverse, order, more=len(faulty))
        table = _chunk_table(
            inputs=np.array(self.inputs, np.int32)[rows],
            records=ordinals[rows],
            ids=pa.array(self.ids, pa.binary()).take(pa.array(rows)),
            lengths=lengths[rows],
            bounds=(chunk_numbers, starts, ends),
            counts=counts,
            outcomes=(statuses, reasons),
            mates=np.array(self.mates, np.int8)[rows],
            descriptions=_in_first_rows(pa.array(self.descriptions, pa.binary()), rows),
            reverse=reverse,
        )
        return FrameBatch(table, frame_rows)


def _frames(
    bases: bytes,
    offsets: npt.NDArray[np.int64],
    *,
    lengths: npt.NDArray[np.int64],
    bounds: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]],
    cutting: Cutting,
) -> tuple[ChunkFrames, ReverseGrid | None]:
    """The frames or segments of n chunks, and of their reverse complements where these are asked for.

    `bounds` are 0-based chunks, starts and ends in records of these `lengths`, which begin at the `offsets` in `bases`,
    (n,) each.
    """
    chunks, starts, ends = bounds
    places = (starts + offsets, ends + offsets)
    frames = chunk_frames(bases, *places, coverage=cutting.coverage)
    if not cutting.both_strands:
        return frames, None
    reverse_starts, reverse_ends = reverse_chunk_bounds(lengths, chunks, cutting.chunk_length)
    reverse_places = (reverse_starts + offsets, reverse_ends + offsets)
    return with_reverse_grid(frames, bases, places, reverse_places, coverage=cutting.coverage)


def _windows(
    record: Record, input_ordinal: int, record_ordinal: int, cutting: Cutting, *, batch_bases: int
) -> Iterator[FrameBatch]:
    """The batches of a record longer than one batch, each of several whole chunks."""
    chunk_length = cutting.chunk_length
    total = int(chunk_counts(np.array([record.length], np.int64), chunk_length)[0])
    step = max(1, batch_bases // chunk_length)
    for first in range(0, total, step):
        chunks = np.arange(first, min(first + step, total), dtype=np.int64)
        lengths = np.full(len(chunks), record.length, np.int64)
        starts = chunk_starts(lengths, chunks, chunk_length)
        ends = np.minimum(starts + chunk_length, record.length)
        # The chunks of the reverse complement begin or end up to a chunk's length beside those of the record.
        begin = max(0, int(starts[0]) - chunk_length)
        frames, reverse = _frames(
            record.sequence[begin : int(ends[-1]) + chunk_length],
            np.full(len(chunks), -begin, np.int64),
            lengths=lengths,
            bounds=(chunks, starts, ends),
            cutting=cutting,
        )
        records = np.full(len(chunks), record_ordinal, np.int64)
        table = _chunk_table(
            inputs=np.full(len(chunks), input_ordinal, np.int32),
            records=records,
            ids=pa.array([record.record_id], pa.binary()).take(pa.array(np.zeros(len(chunks), np.int64))),
            lengths=lengths,
            bounds=(chunks + 1, starts, ends),
            counts=frames.counts,
            outcomes=(frames.statuses, frames.reasons),
            mates=np.full(len(chunks), record.mate, np.int8),
            descriptions=pa.array([b"" if first else record.description, *[b""] * (len(chunks) - 1)], pa.binary()),
            reverse=reverse,
        )
        yield FrameBatch(table, _frame_table(frames, records, chunks + 1))


def _in_first_rows(values: pa.Array, rows: npt.NDArray[np.int64]) -> pa.Array:
    """The value of each record in the first of its `rows`, and nothing in the others."""
    is_first = np.diff(rows, prepend=-1) != 0
    places = pa.array(np.where(is_first, rows, len(values)))
    return pa.concat_arrays([values, pa.array([b""], pa.binary())]).take(places)


def _chunk_table(
    *,
    inputs: npt.NDArray[np.int32],
    records: npt.NDArray[np.int64],
    ids: pa.Array,
    lengths: npt.NDArray[np.int64],
    bounds: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]],
    counts: npt.NDArray[np.integer],
    outcomes: tuple[pa.Array, pa.Array],
    mates: npt.NDArray[np.int8],
    descriptions: pa.Array,
    reverse: ReverseGrid | None,
) -> pa.Table:
    chunks, starts, ends = bounds
    columns = [
        pa.array(inputs),
        pa.array(records),
        ids,
        pa.array(lengths),
        pa.array(chunks.astype(np.int32)),
        pa.array(starts),
        pa.array(ends),
        pa.array(counts.astype(np.int8)),
        *outcomes,
        pa.array(mates),
        descriptions,
    ]
    if reverse is None:
        return pa.Table.from_arrays(columns, schema=CHUNK_SCHEMA)
    return pa.Table.from_arrays([*columns, pa.array(reverse.counts), reverse.kinds], schema=BOTH_STRANDS_SCHEMA)


def _frame_table(
    frames: ChunkFrames, record_ordinals: npt.NDArray[np.int64], chunk_numbers: npt.NDArray[np.int64]
) -> pa.Table:
    """The frame rows; `record_ordinals` and `chunk_numbers` have one element per chunk."""
    columns = [
        pa.array(record_ordinals[frames.chunks]),
        pa.array(chunk_numbers[frames.chunks].astype(np.int32)),
        pa.array(frames.frames),
        frames.nucleotides,
        frames.proteins,
    ]
    return pa.Table.from_arrays(columns, schema=FRAME_SCHEMA)
