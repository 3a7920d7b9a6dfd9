"""Embeds sequences of which some have a vector that was taken over from an earlier tool.

A share of these is computed anew and compared. If one differs, the vectors of its file count for nothing in this shard,
and are computed too: a file is wrong as a whole if it is of another run, another model, or attached to wrong ids.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.models.bundle import read_description
from virnucpro_tasks.shards.engine_stats import EngineStats
from virnucpro_tasks.shards.imported import FoundVectors, ImportedVectors, sequence_digests
from virnucpro_tasks.shards.kinds import KINDS, NUCLEOTIDE, PROTEIN

if TYPE_CHECKING:
    from virnucpro_tasks.embed.engine import Embedded, Engine

log = logging.getLogger(__name__)

LEAST_COMPARED = 32
"""Vectors of each file that are compared in each shard; a file with fewer there saves nothing."""

MOST_MEASURED = 64
"""Vectors whose distances say how far those of different sequences are apart."""

TOLERANCES = {"fp32": 0.005, "fp16": 0.05, "bf16": 0.2}
"""Largest distance of two vectors of one sequence, as a share of that between different sequences, by precision."""
COARSE_TOLERANCE = 0.3

Places = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SequenceVectors:
    """Vectors of distinct sequences: `nucleotide` and `protein` (n, width) float32.

    `spared` (n,) bool marks the proteins that were not computed.
    """

    nucleotide: Floats
    protein: Floats
    stats: EngineStats
    spared: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Imports:
    """The vectors that a job has taken over, by kind, and by source the share to compare and the tolerance."""

    by_kind: dict[str, ImportedVectors]
    shares: tuple[float, ...]
    tolerances: tuple[float, ...]

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """Open the imported vectors of `job`; None if it has none, or they are lost: then all is computed."""
        imported = job.spec.imported
        if imported is None or imported.is_empty:
            return None
        description = read_description(job.paths.bundle)
        widths = {NUCLEOTIDE: description.nucleotide_width, PROTEIN: description.protein_width}
        by_kind = {}
        for kind in KINDS:
            found = ImportedVectors.open(
                job.paths.imported, kind, width=widths[kind], bundle_digest=job.spec.bundle_digest
            )
            if found is None:
                log.warning(
                    "job=%s: the imported %s vectors are missing or damaged: all are computed", job.job_id, kind
                )
                return None
            by_kind[kind] = found
        own = TOLERANCES.get(job.spec.parameters.precision, COARSE_TOLERANCE)
        return cls(
            by_kind,
            shares=tuple(source.compared for source in imported.sources),
            tolerances=tuple(
                max(own, TOLERANCES.get(source.precision, COARSE_TOLERANCE)) for source in imported.sources
            ),
        )


def embed_sequences(
    engine: Engine,
    nucleotides: Sequence[str],
    proteins: Sequence[str],
    imports: Imports | None,
    *,
    should_stop: Callable[[], bool],
    masked_nucleotides: Collection[int] = (),
    masked_proteins: Collection[int] = (),
    tell_share: Callable[[float], None] | None = None,
    whole_proteins: bool = False,
) -> SequenceVectors:
    """`Engine.embed`, which computes what has no imported vector; raises as that does, with places in these lists."""
    compute = partial(engine.embed, whole_proteins=whole_proteins)
    if imports is None:
        embedded = compute(
            nucleotides,
            proteins,
            should_stop=should_stop,
            masked_nucleotides=masked_nucleotides,
            masked_proteins=masked_proteins,
            tell_share=tell_share,
        )
        none_spared = np.zeros(len(proteins), bool)
        return SequenceVectors(embedded.nucleotide, embedded.protein, embedded.stats, none_spared)
    texts = {NUCLEOTIDE: nucleotides, PROTEIN: proteins}
    masked = {NUCLEOTIDE: masked_nucleotides, PROTEIN: masked_proteins}
    parts = {kind: _Part.of(kind, texts[kind], masked[kind], imports) for kind in KINDS}
    stats = _compute(compute, parts, texts, masked, should_stop, tell_share)
    again = [part.refuse(imports) for part in parts.values()]
    if any(map(len, again)):
        stats += _compute(compute, parts, texts, masked, should_stop, None)
    counters = [part.counters() for part in parts.values()]
    return SequenceVectors(
        parts[NUCLEOTIDE].vectors, parts[PROTEIN].vectors, sum(counters, stats), parts[PROTEIN].spared()
    )


@dataclass(slots=True)
class _Part:
    """The sequences of one kind: `vectors` (n, width), those `to_compute` next, and what was `found` of them."""

    kind: str
    vectors: Floats
    to_compute: Places
    found: FoundVectors
    compared: npt.NDArray[np.bool_]
    used: npt.NDArray[np.bool_]
    computed: Places
    differing: int = 0
    refused: int = 0

    @classmethod
    def of(cls, kind: str, texts: Sequence[str], masked: Collection[int], imports: Imports) -> Self:
        everything = np.arange(len(texts))
        found = imports.by_kind[kind].find(texts)
        usable = ~np.isin(found.places, list(masked))
        found = FoundVectors(found.places[usable], found.vectors[usable], found.sources[usable])
        compared = _to_compare(texts, found, imports.shares)
        vectors = np.zeros((len(texts), imports.by_kind[kind].width), np.float32)
        vectors[found.places] = found.vectors
        to_compute = np.setdiff1d(everything, found.places[~compared])
        return cls(kind, vectors, to_compute, found, compared, ~compared, everything[:0])

    def add(self, vectors: Floats) -> None:
        """Take the computed `vectors` of those to compute."""
        self.vectors[self.to_compute] = vectors
        self.computed = np.concatenate([self.computed, self.to_compute])
        self.to_compute = self.to_compute[:0]

    def refuse(self, imports: Imports) -> Places:
        """Find the sources with a vector that differs from the computed one; returns what is to be computed now."""
        apart = _apart(self.vectors[self.computed[:MOST_MEASURED]])
        own = self.vectors[self.found.places]
        distances = np.linalg.norm(own - self.found.vectors, axis=1)
        for source in np.unique(self.found.sources).tolist():
            of_source = self.found.sources == source
            # Written so that a distance which is not a number is not within the limit.
            within = distances[of_source & self.compared] <= imports.tolerances[source] * apart
            if not within.all():
                log.warning(
                    "source %d: %d of %d compared %s vectors differ from computed ones: the others are computed, too",
                    *(source, int((~within).sum()), len(within), self.kind),
                )
                self.differing += int((~within).sum())
                self.refused += int(of_source.sum())
                self.used &= ~of_source
        self.to_compute = np.setdiff1d(self.found.places[~self.compared & ~self.used], self.computed)
        return self.to_compute

    def counters(self) -> EngineStats:
        return EngineStats(
            imported=int(self.used.sum()),
            compared=int(self.compared.sum()),
            differing=self.differing,
            refused=self.refused,
        )

    def spared(self) -> npt.NDArray[np.bool_]:
        """Mark the sequences whose vector was not computed, bool (n,)."""
        marks = np.ones(len(self.vectors), bool)
        marks[self.computed] = False
        return marks


def _to_compare(texts: Sequence[str], found: FoundVectors, shares: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Mark the vectors to compare, bool (k,): a share of each source, by the digests of the sequences.

    So they do not depend on what else is in the shard, nor on the order of the file.
    """
    compared = np.zeros(len(found.places), bool)
    digests = sequence_digests([texts[place] for place in found.places.tolist()])
    for source in np.unique(found.sources).tolist():
        members = np.flatnonzero(found.sources == source)
        number = max(LEAST_COMPARED, math.ceil(shares[source] * len(members)))
        compared[members[np.argsort(digests[members, 0], kind="stable")[:number]]] = True
    return compared


def _apart(vectors: Floats) -> float:
    """The median distance between vectors of different sequences; 0 for fewer than two: then none is close enough."""
    if len(vectors) < 2:
        return 0.0
    wide = vectors.astype(np.float64)
    distances = np.linalg.norm(wide[:, None] - wide[None], axis=2)
    return float(np.median(distances[np.triu_indices(len(vectors), 1)]))


def _compute(
    compute: Callable[..., Embedded],
    parts: dict[str, _Part],
    texts: dict[str, Sequence[str]],
    masked: dict[str, Collection[int]],
    should_stop: Callable[[], bool],
    tell_share: Callable[[float], None] | None,
) -> EngineStats:
    from virnucpro_tasks.embed.engine import NUCLEOTIDE_FOLDER, NonFiniteError

    places = {kind: part.to_compute for kind, part in parts.items()}
    given = {kind: [texts[kind][place] for place in chosen.tolist()] for kind, chosen in places.items()}
    hidden = {kind: np.flatnonzero(np.isin(places[kind], list(masked[kind]))).tolist() for kind in KINDS}
    try:
        embedded = compute(
            given[NUCLEOTIDE],
            given[PROTEIN],
            should_stop=should_stop,
            masked_nucleotides=hidden[NUCLEOTIDE],
            masked_proteins=hidden[PROTEIN],
            tell_share=tell_share,
        )
    except NonFiniteError as error:
        kind = NUCLEOTIDE if error.model == NUCLEOTIDE_FOLDER else PROTEIN
        raise NonFiniteError(error.model, places[kind][error.indices].tolist()) from error
    parts[NUCLEOTIDE].add(embedded.nucleotide)
    parts[PROTEIN].add(embedded.protein)
    return embedded.stats
