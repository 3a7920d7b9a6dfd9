"""What one tool says of the contigs, in the order of the contigs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.cut import Contig
from benchmarks.accuracy.tool_scores import ToolScores
from virnucpro_tasks.heads.labels import Label
from virnucpro_tasks.heads.scored_records import ScoredRecords


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Of n contigs: scores (n,), NaN without one; calls (n,), false without one; `fdr` (n,), NaN where not told.

    The rest is as in `ToolScores`.
    """

    contigs: Sequence[Contig]
    scores: NDArray[np.float64]
    calls: NDArray[np.bool_]
    fdr: NDArray[np.float64]
    score_name: str
    only_ranks: bool

    @classmethod
    def of(cls, contigs: Sequence[Contig], told: ToolScores) -> Self:
        """Those of a tool; ids that are no contig's are left out."""
        ids = [contig.contig_id for contig in contigs]
        return cls(
            contigs,
            np.array([told.scores.get(name, np.nan) for name in ids], dtype=np.float64),
            np.array([told.calls.get(name, False) for name in ids], dtype=bool),
            np.array([told.fdr.get(name, np.nan) for name in ids], dtype=np.float64),
            told.score_name,
            told.only_ranks,
        )

    @property
    def virus(self) -> NDArray[np.bool_]:
        return np.array([contig.source.virus for contig in self.contigs], dtype=bool)

    def part(self, chosen: NDArray[np.bool_]) -> Self:
        """The answers for the `chosen` (n,) contigs."""
        contigs = [self.contigs[place] for place in np.flatnonzero(chosen).tolist()]
        return replace(
            self, contigs=contigs, scores=self.scores[chosen], calls=self.calls[chosen], fdr=self.fdr[chosen]
        )

    def records(self) -> ScoredRecords:
        """The same as labelled records."""
        sources = [contig.source for contig in self.contigs]
        return ScoredRecords(
            ids=[contig.contig_id for contig in self.contigs],
            lengths=np.array([len(contig.sequence) for contig in self.contigs], dtype=np.int64),
            labels=[Label(virus=source.virus, group=source.group, taxon=source.taxon) for source in sources],
            scores=self.scores,
            places=range(len(self.contigs)),
            score_column=self.score_name,
            unlabelled=0,
        )
