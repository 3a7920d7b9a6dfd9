"""Compares what the folder of an earlier tool says about its sequences with the frames of the input.

A contradiction counts always. Agreement counts for vectors that are newer than the sequences: older ones may be of an
earlier run on another input. Times of files say nothing where they are not those at which the run wrote them, by the
notes of the package: a folder that was copied without its times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.earlier.expected import ExpectedFrames
from virnucpro_tasks.earlier.layout import INDEX_FILE, Layout, Tool, read_note
from virnucpro_tasks.reads.originals import ALL_RECORDS, Original, Wanted, fasta_originals
from virnucpro_tasks.shards.imported import sequence_digests
from virnucpro_tasks.shards.kinds import NUCLEOTIDE, PROTEIN

BLOCK_BYTES = 2**20
RECORDS_AT_ONCE = 4_096
CLOCKS_APART_SECONDS = 60.0
"""By which the clocks of a host and of its file server may differ."""


@dataclass(frozen=True, slots=True)
class FolderSequences:
    """The FASTA files of a folder beside the frames of the input, by masks bool (frames,).

    `other` frames have another sequence there, `same` ones by kind the same. `newest` is the time of the last file that
    names a frame (seconds since 1970), 0 if none does. `is_copied` tells that times are not those of the run.
    """

    other: npt.NDArray[np.bool_]
    same: dict[str, npt.NDArray[np.bool_]]
    newest: float
    is_copied: bool

    @classmethod
    def of(cls, layout: Layout, expected: ExpectedFrames) -> Self:
        """Read all FASTA files of the folder."""
        other, written = np.zeros(len(expected), bool), [0.0]
        same = {kind: np.zeros(len(expected), bool) for kind in (NUCLEOTIDE, PROTEIN)}
        for file in layout.sequences:
            for records in _records(file):
                ids = [(record.header.split(None, 1) or [b""])[0].decode(errors="replace") for record in records]
                digests = sequence_digests([record.sequence.upper() for record in records])
                places = expected.places(ids)
                known = places >= 0
                places, digests = places[known], digests[known]
                if not len(places):
                    continue
                written.append(file.stat().st_mtime)
                is_one = np.zeros(len(places), bool)
                for kind, mask in same.items():
                    is_same = (expected.sequences[kind][places] == digests).all(axis=1)
                    mask[places[is_same]] = True
                    is_one |= is_same
                other[places[~is_one]] = True
        return cls(other, same, max(written), layout.tool is not Tool.ORIGINAL and _is_copied(layout, written[1:]))


def _is_copied(layout: Layout, written: list[float]) -> bool:
    """Whether sequences were `written` (seconds since 1970) at other times than the notes say, or these do not say."""
    if layout.cut_between is None:
        return True
    begin, end = layout.cut_between
    return not all(begin - CLOCKS_APART_SECONDS <= at <= end + CLOCKS_APART_SECONDS for at in written)


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
    originals = chain.from_iterable(fasta_originals(_blocks(file), Wanted(ALL_RECORDS)))
    while some := list(islice(originals, RECORDS_AT_ONCE)):
        yield some


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as handle:
        while block := handle.read(BLOCK_BYTES):
            yield block.replace(b"\r", b"")
