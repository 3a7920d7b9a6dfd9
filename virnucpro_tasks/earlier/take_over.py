"""Takes over the vectors of an earlier tool that can be proved to be of the sequences of an input.

Here a vector is proved by its id, whose sequence is derived from the input again, and by all that the folder says
against it. That it is of this sequence and of these models is proved by the workers, which compute a share of each
file anew (`pipeline/imported_vectors.py`).
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.earlier.expected import ExpectedFrames
from virnucpro_tasks.earlier.feature_files import Features, read_features
from virnucpro_tasks.earlier.folder_notes import other_lengths, other_sequences
from virnucpro_tasks.earlier.layout import Layout, Tool
from virnucpro_tasks.earlier.reasons import Reason, UnusableError
from virnucpro_tasks.earlier.vector_store import VectorStore, finish_store, new_store
from virnucpro_tasks.errors import printable
from virnucpro_tasks.jobs.imported import ImportedSource, ImportedWork
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.shards.kinds import KINDS, NUCLEOTIDE, PROTEIN

COMPARED = 0.02
"""Share of the vectors of a file that workers compute anew."""

COMPARED_IF_DERIVED = 0.1
"""That of proteins that may have gone through a worker of version 2.0, without the files that would tell."""

COMPARED_IF_OLDER = 0.25
"""That of files that are older than the sequences in the folder, as those of an earlier run with another input are.

A copied folder has times of its own, so this proves nothing.
"""

FULL, HALF = "fp32", "fp16"


def take_over(layout: Layout, expected: ExpectedFrames, bundle: Bundle, folder: Path) -> ImportedWork:
    """Write the vectors of `layout` that are of `expected` frames into `folder`, which exists and is empty.

    Raises OSError for a folder that cannot be written. A file that cannot be used is a source that says why.
    """
    taker = _Taker(layout, expected, bundle)
    with ExitStack() as stack:
        stores = {
            kind: stack.enter_context(
                new_store(folder, kind, width=taker.widths[kind], sequences=len(taker.digests[kind]))
            )
            for kind in KINDS
        }
        for file in layout.vectors:
            taker.take(file, stores)
    indices = {
        kind: finish_store(store, folder, taker.digests[kind], bundle_digest=bundle.digest)
        for kind, store in stores.items()
    }
    taker.subtract_contradicted(stores)
    return ImportedWork(
        folder=printable(str(layout.folder)),
        tool=layout.tool,
        sources=tuple(source.finished() for source in taker.sources)
        + tuple(
            ImportedSource(printable(layout.name_of(mark)), unusable="a mark of completeness without its file")
            for mark in layout.lost
        ),
        digests={kind: index.digest for kind, index in indices.items()},
        wanted={kind: len(digests) for kind, digests in taker.digests.items()},
        found={kind: len(index.rows) for kind, index in indices.items()},
    )


@dataclass(slots=True)
class _Source:
    """A file, as far as it was read, for one kind."""

    file: str
    kind: str = ""
    is_half: bool = True
    vectors: int = 0
    taken: int = 0
    discarded: Counter[str] = field(default_factory=Counter)
    compared: float = COMPARED
    unusable: str = ""

    def finished(self) -> ImportedSource:
        return ImportedSource(
            file=self.file,
            kind=self.kind,
            precision=(HALF if self.is_half else FULL) if self.kind else "",
            vectors=self.vectors,
            taken=self.taken,
            discarded={reason: number for reason, number in sorted(self.discarded.items()) if number},
            compared=self.compared if self.taken else 0.0,
            unusable=self.unusable,
        )


class _Taker:
    def __init__(self, layout: Layout, expected: ExpectedFrames, bundle: Bundle) -> None:
        self.layout = layout
        self.expected = expected
        description = bundle.description
        self.widths = {NUCLEOTIDE: description.nucleotide_width, PROTEIN: description.protein_width}
        self.digests: dict[str, npt.NDArray[np.uint64]] = {}
        self.sequence_of: dict[str, npt.NDArray[np.int64]] = {}
        for kind in KINDS:
            distinct, places = np.unique(expected.sequences[kind], axis=0, return_inverse=True)
            self.digests[kind], self.sequence_of[kind] = distinct, places.reshape(-1)
        self.sources: list[_Source] = []
        self._newest = max((file.stat().st_mtime for file in layout.sequences), default=0.0)
        self._against = [
            (Reason.OTHER_SEQUENCE, other_sequences(layout, expected)),
            (Reason.OTHER_LENGTH, other_lengths(layout, expected)),
        ]

    def take(self, file: Path, stores: dict[str, VectorStore]) -> None:
        """Add the vectors of `file` to the stores."""
        name = printable(self.layout.name_of(file))
        begun: dict[str, int] = {}
        try:
            compared = COMPARED_IF_OLDER if file.stat().st_mtime < self._newest else COMPARED
            for features in read_features(file, widths=self.widths):
                if features.kind not in begun:
                    begun[features.kind] = len(self.sources)
                    self.sources.append(_Source(name, features.kind, compared=compared))
                self._add(features, begun[features.kind], stores[features.kind])
        except (UnusableError, OSError) as error:
            # Pieces of a file that is damaged behind them stay: each is proved by itself.
            source = self.sources[next(iter(begun.values()))] if begun else _Source(name)
            source.unusable = str(error)
            if not begun:
                self.sources.append(source)

    def subtract_contradicted(self, stores: dict[str, VectorStore]) -> None:
        """Move what was contradicted by a later file from taken to discarded."""
        for store in stores.values():
            for number, lost in store.lost.items():
                self.sources[number].taken -= lost
                self.sources[number].discarded[Reason.CONTRADICTED] += lost

    def _add(self, features: Features, number: int, store: VectorStore) -> None:
        source, kind = self.sources[number], features.kind
        source.vectors += len(features.ids)
        source.is_half &= self._is_half(features)
        places = self.expected.places(features.ids)
        known = places >= 0
        reasons = self.expected.objections(kind, places)
        reasons += [
            (reason, known & against[places]) if len(against) else (reason, np.zeros(len(places), bool))
            for reason, against in self._against
        ]
        if kind == PROTEIN and features.is_derived and self.layout.tool is not Tool.ORIGINAL:
            source.compared = max(source.compared, COMPARED_IF_DERIVED)
            if self.layout.may_be_resumed:
                reasons.append((Reason.MAY_BE_RESUMED, np.ones(len(places), bool)))
        finite = np.asarray(np.isfinite(features.vectors).all(axis=1), bool)
        reasons.append((Reason.NOT_FINITE, ~finite))
        good = np.ones(len(places), bool)
        for reason, mask in reasons:
            source.discarded[reason] += int((good & mask).sum())
            good &= ~mask
        sequences = self.sequence_of[kind][places[good]]
        repeated, contradicts = store.add(sequences, features.vectors[good], number)
        source.discarded[Reason.REPEATED] += int(repeated.sum())
        source.discarded[Reason.CONTRADICTED] += int(contradicts.sum())
        source.taken += int((~repeated & ~contradicts).sum())

    def _is_half(self, features: Features) -> bool:
        """Whether they were computed in half precision: all proteins of the package, or numbers that are all so."""
        if features.kind == PROTEIN and self.layout.tool is not Tool.ORIGINAL:
            return True
        return features.is_half
