"""How the vectors of a shard were computed, kept in their file and summed up in the report of the job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

COUNTED = ("packs", "recomputed_packs", "out_of_memory", "tokens", "capacity")


@dataclass(frozen=True, slots=True)
class Computed:
    """Of both models: packs of the engine, those that were computed again in FP32 because half precision overflowed,
    those that did not fit into the device's memory and were halved; tokens, and how many all packs could hold; the
    attention backend of each model.
    """

    packs: int = 0
    recomputed_packs: int = 0
    out_of_memory: int = 0
    tokens: int = 0
    capacity: int = 0
    attention: dict[str, str] = field(default_factory=dict)


def summed(parts: Iterable[Computed]) -> dict[str, Any]:
    """Totals over shards, how full the packs were (0 to 1), and how many shards each attention backend computed."""
    totals = Counter(dict.fromkeys(COUNTED, 0))
    attention: dict[str, Counter[str]] = {}
    for part in parts:
        for name in COUNTED:
            totals[name] += getattr(part, name)
        for model, backend in part.attention.items():
            attention.setdefault(model, Counter())[backend] += 1
    return dict(totals) | {
        "token_fill": round(totals["tokens"] / totals["capacity"], 4) if totals["capacity"] else None,
        "shards_by_attention": {model: dict(sorted(counts.items())) for model, counts in sorted(attention.items())},
    }
