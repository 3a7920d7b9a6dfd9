"""Takes over the vectors of an earlier tool that can be proved to be of the sequences of an input.

Here a vector is proved by its id, whose sequence is derived from the input again, and by all that the folder says
against it. That it is of this sequence and of these models is proved by the workers, which compute vectors anew
(`pipeline/imported_vectors.py`): a share of each file if the folder has the sequences that its ids stood for, and no
newer ones than the file; every one if not.
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
from virnucpro_tasks.earlier.folder_notes import FolderSequences, other_lengths
from virnucpro_tasks.earlier.layout import Layout, Tool
from virnucpro_tasks.earlier.reasons import Reason, UnusableError
from virnucpro_tasks.earlier.vector_store import VectorStore, finish_store, new_store
from virnucpro_tasks.errors import printable
from virnucpro_tasks.jobs.imported import ALL_ASKED_FOR, COMPARED_ALL, ImportCheck, ImportedSource, ImportedWork
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.shards.kinds import KINDS, NUCLEOTIDE, PROTEIN

COMPARED = 0.02
"""Share of the vectors of a file that workers compute anew."""

COMPARED_IF_DERIVED = 0.1
"""That of proteins that may have gone through a worker of version 2.0, without the files that would tell."""

COMPARED_IF_OLDER = 0.25
"""That of files that are older than the sequences in the folder, if a sample is to do for them too."""

NO_SEQUENCES = "no file in the folder has the sequences that their ids stood for"
OLDER = "they are older than the sequences in the folder, as vectors of an earlier run are"
COPIED = "the sequences in the folder are not of the time that its notes state, so that times prove nothing"

FULL, HALF = "fp32", "fp16"


def take_over(
    layout: Layout,
    expected: ExpectedFrames,
    bundle: Bundle,
    folder: Path,
    *,
    check: ImportCheck = ImportCheck.PROVED,
) -> ImportedWork:
    """Write the vectors of `layout` that are of `expected` frames into `folder`, which exists and is empty.

    `check` says how many workers are to compare.
    Raises OSError for a folder that cannot be written. A file that cannot be used is a source that says why.
    """
    taker = _Taker(layout, expected, bundle, check)
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
    """A file, as far as it was read, for one kind, and for vectors of one `doubt`."""

    file: str
    kind: str = ""
    is_half: bool = True
    vectors: int = 0
    taken: int = 0
    discarded: Counter[str] = field(default_factory=Counter)
    compared: float = COMPARED
    doubt: str = ""
    unusable: str = ""

    def finished(self) -> ImportedSource:
        return ImportedSource(
            file=self.file,
            kind=self.kind,
            precision=(HALF if self.is_half else FULL) if self.kind else "",
            vectors=self.vectors,
            taken=self.taken,
            discarded={reason: number for reason, number in sorted(self.discarded.items()) if number},
            compared=(COMPARED_ALL if self.doubt else self.compared) if self.taken else 0.0,
            doubt=self.doubt if self.taken else "",
            unusable=self.unusable,
        )


class _Taker:
    def __init__(self, layout: Layout, expected: ExpectedFrames, bundle: Bundle, check: ImportCheck) -> None:
        self.layout = layout
        self.expected = expected
        self.check = check
        description = bundle.description
        self.widths = {NUCLEOTIDE: description.nucleotide_width, PROTEIN: description.protein_width}
        self.digests: dict[str, npt.NDArray[np.uint64]] = {}
        self.sequence_of: dict[str, npt.NDArray[np.int64]] = {}
        for kind in KINDS:
            distinct, places = np.unique(expected.sequences[kind], axis=0, return_inverse=True)
            self.digests[kind], self.sequence_of[kind] = distinct, places.reshape(-1)
        self.sources: list[_Source] = []
        self._shown = FolderSequences.of(layout, expected)
        self._against = [
            (Reason.OTHER_SEQUENCE, self._shown.other),
            (Reason.OTHER_LENGTH, other_lengths(layout, expected)),
        ]

    def take(self, file: Path, stores: dict[str, VectorStore]) -> None:
        """Add the vectors of `file` to the stores."""
        name = printable(self.layout.name_of(file))
        first = len(self.sources)
        try:
            is_older = file.stat().st_mtime < self._shown.newest
            for features in read_features(file, widths=self.widths):
                self._add(features, name, first, stores[features.kind], is_older=is_older)
        except (UnusableError, OSError) as error:
            # Pieces of a file that is damaged behind them stay: each is proved by itself.
            if len(self.sources) == first:
                self.sources.append(_Source(name))
            self.sources[first].unusable = str(error)

    def subtract_contradicted(self, stores: dict[str, VectorStore]) -> None:
        """Move what was contradicted by a later file from taken to discarded."""
        for store in stores.values():
            for number, lost in store.lost.items():
                self.sources[number].taken -= lost
                self.sources[number].discarded[Reason.CONTRADICTED] += lost

    def _add(self, features: Features, name: str, first: int, store: VectorStore, *, is_older: bool) -> None:
        """Add the vectors of a piece of the file `name`, whose sources begin with the one numbered `first`."""
        kind = features.kind
        places = self.expected.places(features.ids)
        known = places >= 0
        reasons = self.expected.objections(kind, places)
        reasons += [
            (reason, known & against[places]) if len(against) else (reason, np.zeros(len(places), bool))
            for reason, against in self._against
        ]
        share = COMPARED_IF_OLDER if is_older else COMPARED
        if kind == PROTEIN and features.is_derived and self.layout.tool is not Tool.ORIGINAL:
            share = max(share, COMPARED_IF_DERIVED)
            if self.layout.may_be_resumed:
                reasons.append((Reason.MAY_BE_RESUMED, np.ones(len(places), bool)))
        finite = np.asarray(np.isfinite(features.vectors).all(axis=1), bool)
        reasons.append((Reason.NOT_FINITE, ~finite))
        good = np.ones(len(places), bool)
        discarded: Counter[str] = Counter()
        for reason, mask in reasons:
            discarded[reason] += int((good & mask).sum())
            good &= ~mask
        doubts = self._doubts(kind, places, is_older=is_older)
        for doubt in dict.fromkeys(doubts[good].tolist()) or [""]:
            members = good & (doubts == doubt)
            number = self._source(name, kind, doubt, first)
            source = self.sources[number]
            # Those that were discarded already are counted once, with whichever is the first.
            source.vectors += int(members.sum()) + sum(discarded.values())
            source.discarded += discarded
            discarded = Counter()
            source.compared = max(source.compared, share)
            source.is_half &= self._is_half(features)
            repeated, contradicts = store.add(
                self.sequence_of[kind][places[members]], features.vectors[members], number
            )
            source.discarded[Reason.REPEATED] += int(repeated.sum())
            source.discarded[Reason.CONTRADICTED] += int(contradicts.sum())
            source.taken += int((~repeated & ~contradicts).sum())

    def _doubts(self, kind: str, places: npt.NDArray[np.int64], *, is_older: bool) -> npt.NDArray[np.str_]:
        """Say for each vector why it is to be compared, texts (k,); empty if a sample of its file is enough."""
        if self.check is not ImportCheck.PROVED or is_older:
            doubt = {ImportCheck.ALL: ALL_ASKED_FOR, ImportCheck.PROVED: OLDER}.get(self.check, "")
            return np.full(len(places), doubt)
        if self._shown.is_copied and self._shown.newest:
            return np.full(len(places), COPIED)
        same = self._shown.same[kind]
        shown = same[places] if len(same) else np.zeros(len(places), bool)
        return np.where(shown, "", NO_SEQUENCES)

    def _source(self, name: str, kind: str, doubt: str, first: int) -> int:
        """The number of the source of vectors of this `kind` and `doubt` among those of a file, which is added."""
        for number in range(first, len(self.sources)):
            source = self.sources[number]
            if (source.kind, source.doubt) == (kind, doubt):
                return number
        self.sources.append(_Source(name, kind, doubt=doubt))
        return len(self.sources) - 1

    def _is_half(self, features: Features) -> bool:
        """Whether they were computed in half precision: all proteins of the package, or numbers that are all so."""
        if features.kind == PROTEIN and self.layout.tool is not Tool.ORIGINAL:
            return True
        return features.is_half
