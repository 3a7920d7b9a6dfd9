"""How the vectors of a shard were computed, kept in their file and summed up in the report of the job."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError, safe_open

COUNTED = ("packs", "recomputed_packs", "out_of_memory", "tokens", "capacity")
ENTRY = "about"
"""The only entry in the metadata of a file of vectors: safetensors writes several in any order."""


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

    @classmethod
    def read(cls, path: Path) -> Self:
        """Of a file of vectors; nothing for a file that does not say."""
        try:
            with safe_open(path, framework="numpy") as handle:
                return cls(**json.loads((handle.metadata() or {})[ENTRY])["computed"])
        except (FileNotFoundError, SafetensorError, KeyError, TypeError, ValueError):
            return cls()


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
