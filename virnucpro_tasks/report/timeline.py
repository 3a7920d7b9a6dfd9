"""The timeline of a job: which worker computed shards from when to when, from run.json."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from virnucpro_tasks.errors import counted, printable


@dataclass(frozen=True, slots=True)
class Span:
    """One shard, or some that follow each other: from `start` to `end`, in seconds from the first one, of which
    `seconds` were spent on them.
    """

    start: float
    end: float
    seconds: float
    shards: int
    tokens: int
    name: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The spans of one worker in order."""

    worker: str
    spans: list[Span]

    @property
    def shards(self) -> int:
        return sum(span.shards for span in self.spans)

    @property
    def tokens(self) -> int:
        return sum(span.tokens for span in self.spans)

    @property
    def busy_seconds(self) -> float:
        return sum(span.seconds for span in self.spans)

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.busy_seconds if self.busy_seconds else 0.0


def timeline(run: Mapping[str, Any]) -> list[Lane]:
    """The lanes of all workers by name; empty for results of earlier versions, which do not tell."""
    entries = run.get("times", {}).get("shards", [])
    begins = [_seconds(entry["started_at"]) for entry in entries]
    first = min(begins, default=0.0)
    spans = defaultdict(list)
    for entry, begin in zip(entries, begins, strict=True):
        name = counted(entry["shards"], "shard") if entry["shard"] is None else f"shard {entry['shard']}"
        end = max(begin, _seconds(entry["ended_at"]))
        spans[entry["worker"]].append(
            Span(
                round(begin - first, 3), round(end - first, 3), entry["seconds"], entry["shards"], entry["tokens"], name
            )
        )
    return [
        Lane(printable(worker), sorted(of_worker, key=lambda span: (span.start, span.end)))
        for worker, of_worker in sorted(spans.items())
    ]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
