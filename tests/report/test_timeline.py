"""The timeline of a job."""

from __future__ import annotations

from typing import Any

from virnucpro_tasks.report.timeline import timeline


def entry(worker: str, start: int, end: int, **changed: Any) -> dict[str, Any]:
    times = {"started_at": f"2026-01-01T00:00:{start:02}.000+00:00", "ended_at": f"2026-01-01T00:00:{end:02}.500+00:00"}
    return {"worker": worker, "shard": 1, "shards": 1, "seconds": 2.0, "tokens": 100} | times | changed


def test_shards_are_by_worker_from_the_first_one_on() -> None:
    first, second = timeline({"times": {"shards": [entry("b", 10, 12), entry("a", 20, 21), entry("b", 5, 9)]}})
    assert (first.worker, second.worker) == ("a", "b")
    assert [(span.start, span.end, span.name) for span in second.spans] == [(0, 4.5, "shard 1"), (5, 7.5, "shard 1")]
    assert (second.shards, second.tokens, second.busy_seconds, second.tokens_per_second) == (2, 200, 4, 50)


def test_shards_that_were_put_together_are_counted() -> None:
    (lane,) = timeline({"times": {"shards": [entry("a", 0, 1, shard=None, shards=7)]}})
    assert lane.spans[0].name == "7 shards" and lane.shards == 7


def test_results_of_earlier_versions_have_none() -> None:
    assert timeline({"times": {}}) == []
