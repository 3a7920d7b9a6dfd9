"""Compares what the folder of an earlier tool says about its sequences with the frames of the input.

Its FASTA files may be of a later run than its vectors, so that agreement proves nothing; but a contradiction does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.earlier.expected import ExpectedFrames
from virnucpro_tasks.earlier.layout import INDEX_FILE, Layout, read_note
from virnucpro_tasks.reads.originals import Original, Wanted, fasta_originals
from virnucpro_tasks.shards.imported import sequence_digests
from virnucpro_tasks.shards.kinds import NUCLEOTIDE, PROTEIN

BLOCK_BYTES = 2**20
RECORDS_AT_ONCE = 4_096


def other_sequences(layout: Layout, expected: ExpectedFrames) -> npt.NDArray[np.bool_]:
    """Mark frames that have another sequence in a FASTA file of the folder, bool (frames,)."""
    found = np.zeros(len(expected), bool)
    for file in layout.sequences:
        for records in _records(file):
            ids = [(record.header.split(None, 1) or [b""])[0].decode(errors="replace") for record in records]
            digests = sequence_digests([record.sequence.upper() for record in records])
            places = expected.places(ids)
            known = places >= 0
            places, digests = places[known], digests[known]
            is_one = np.zeros(len(places), bool)
            for kind in (NUCLEOTIDE, PROTEIN):
                is_one |= (expected.sequences[kind][places] == digests).all(axis=1)
            found[places[~is_one]] = True
    return found


def other_lengths(layout: Layout, expected: ExpectedFrames) -> npt.NDArray[np.bool_]:
    """Mark frames whose protein has another length in the index of version 2.0, bool (frames,)."""
    found = np.zeros(len(expected), bool)
    note = read_note(layout.folder / INDEX_FILE)
    entries = note.get("sequences") if isinstance(note, dict) else None
    stated = dict(_lengths(entries if isinstance(entries, list) else []))
    places = expected.places(list(stated))
    lengths = np.fromiter(stated.values(), np.int64, len(stated))
    known = places >= 0
    found[places[known]] = expected.lengths[places[known]] != lengths[known]
    return found


def _lengths(entries: list[Any]) -> Iterator[tuple[str, int]]:
    for entry in entries:
        if isinstance(entry, dict):
            name, length = entry.get("sequence_id"), entry.get("length")
            if isinstance(name, str) and isinstance(length, int) and 0 <= length < 2**60:
                yield name, length


def _records(file: Path) -> Iterator[list[Original]]:
    """The records of a FASTA file, some at a time; the letters of a protein are as good as others."""
    wanted = Wanted()
    gathered: list[Original] = []
    for number, original in enumerate(fasta_originals(_blocks(file), wanted)):
        wanted.number = number + 1
        gathered.append(original)
        if len(gathered) == RECORDS_AT_ONCE:
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as handle:
        while block := handle.read(BLOCK_BYTES):
            yield block.replace(b"\r", b"")
