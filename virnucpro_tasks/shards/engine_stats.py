"""Counters of the engine: kept with the vectors of each shard, summed up in the report of the job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

IMPORT_COUNTERS = ("imported", "compared", "differing", "refused")
"""Counters that only jobs with vectors of an earlier tool report."""


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counters of one or both models over any number of sequences; `+` adds them up.

    `recomputed_packs` overflowed in half precision and were computed again in FP32; `out_of_memory` packs were too
    large for the device and halved; `capacity` is the number of tokens that all packs could hold; `attention` names
    the attention backend of each model. `imported` vectors of an earlier tool were used; `compared` ones were computed
    anew to compare, of which `differing` ones are others than these; `refused` ones are of files with such. Of the
    ESM-2 tokens of all frames `spared_tokens` are of frames whose protein has an imported vector.
    """

    packs: int = 0
    recomputed_packs: int = 0
    out_of_memory: int = 0
    tokens: int = 0
    capacity: int = 0
    attention: dict[str, str] = field(default_factory=dict)
    imported: int = 0
    compared: int = 0
    differing: int = 0
    refused: int = 0
    spared_tokens: int = 0

    def __add__(self, other: EngineStats) -> Self:
        return type(self)(
            packs=self.packs + other.packs,
            recomputed_packs=self.recomputed_packs + other.recomputed_packs,
            out_of_memory=self.out_of_memory + other.out_of_memory,
            tokens=self.tokens + other.tokens,
            capacity=self.capacity + other.capacity,
            attention=other.attention | self.attention,
            imported=self.imported + other.imported,
            compared=self.compared + other.compared,
            differing=self.differing + other.differing,
            refused=self.refused + other.refused,
            spared_tokens=self.spared_tokens + other.spared_tokens,
        )

    @property
    def token_fill(self) -> float | None:
        """Tokens over capacity, 0 to 1; None without packs."""
        return self.tokens / self.capacity if self.capacity else None


def engine_report(shards: Iterable[EngineStats]) -> dict[str, Any]:
    """The section `engine` of run.json: totals, how full the packs were, shards by attention backend of each model."""
    shards = list(shards)
    total = sum(shards, EngineStats())
    attention: dict[str, Counter[str]] = {}
    for stats in shards:
        for model, backend in stats.attention.items():
            attention.setdefault(model, Counter())[backend] += 1
    counts = asdict(total)
    del counts["attention"], counts["spared_tokens"]
    if not total.imported + total.compared + total.refused:
        for name in IMPORT_COUNTERS:
            del counts[name]
    return counts | {
        "token_fill": None if total.token_fill is None else round(total.token_fill, 4),
        "shards_by_attention": {model: dict(sorted(counts.items())) for model, counts in sorted(attention.items())},
    }
