"""What /metrics tells during a job and after it, against what the job itself reports at its end."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from deploy.redis_server import free_port
from prometheus_client.parser import text_string_to_metric_families
from service.deployment import PATIENCE_SECONDS, SAMPLE, SHARD_TOKENS, Deployment, start, wait_until

from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.recovery.events import Began, read_events

pytestmark = pytest.mark.service

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Values by name and labels of a series."""

COUNTERS = {
    "tokens": "virnucpro_worker_packed_tokens_total",
    "capacity": "virnucpro_worker_pack_capacity_total",
    "out_of_memory": "virnucpro_worker_out_of_memory_packs_total",
    "recomputed_packs": "virnucpro_worker_recomputed_packs_total",
}
"""Counters by the names that `engine` of run.json has for them."""


def scraped(url: str) -> Samples:
    """The samples of /metrics; none before the first look."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as reply:
            families = list(text_string_to_metric_families(reply.read().decode()))
    except urllib.error.URLError:
        return {}
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def sums(samples: Samples, *, job_id: str = "") -> Counter[str]:
    """Sums over all workers, by name and the label that tells values of a metric apart; of one job if it is named."""
    found: Counter[str] = Counter()
    for (name, labels), value in samples.items():
        told = dict(labels)
        if told.get("job_id", job_id) == job_id:
            found[" ".join([name, *(told[label] for label in ("end", "state") if label in told)])] += value
    return found


@pytest.fixture
def metrics(serving: Deployment) -> Iterator[str]:
    """The address of the metrics of the deployment that is up."""
    port = free_port()
    arguments = ["exporter", "--port", str(port), "--every", "1"]
    process = start(arguments, serving.environment, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def test_counts_during_a_job_and_after_it_are_those_that_it_reports(serving: Deployment, metrics: str) -> None:
    before = sums(wait_until(lambda: scraped(metrics)))
    # When a job runs
    job_id = serving.run("submit", str(SAMPLE), "--force-new", "--shard-tokens", SHARD_TOKENS).strip()
    results = Path(serving.store / "jobs" / job_id / "run.json")
    during: list[Counter[str]] = []

    def is_over() -> bool:
        seen = sums(scraped(metrics), job_id=job_id)
        if "virnucpro_job_age_seconds" in seen and seen not in during:
            during.append(seen)
        return results.exists() and "virnucpro_job_age_seconds" not in seen

    # The job stands still until a look has seen it: it may end between two looks
    attempts = JobPaths.of(serving.store, job_id).attempts(0)
    began = wait_until(lambda: [event for event in read_events(attempts) if isinstance(event, Began)])[0]
    process = psutil.Process(began.pid)
    process.suspend()
    try:
        wait_until(lambda: is_over() or (during and during[-1]["virnucpro_job_shards all"]))
    finally:
        process.resume()
    wait_until(is_over)
    report = json.loads(results.read_text())
    worked = report["times"]["workers"]
    shards, tokens = sum(each["shards"] for each in worked), sum(each["tokens"] for each in worked)
    assert tokens == report["counts"]["protein_tokens"]
    # Then it is told as far as it is, and never more than there is
    last = during[-1]
    assert (last["virnucpro_job_shards all"], last["virnucpro_job_tokens all"]) == (shards, tokens)
    for name in ("virnucpro_job_shards done", "virnucpro_job_tokens done"):
        told = [seen[name] for seen in during]
        assert told == sorted(told) and told[-1] <= last[name.replace("done", "all")]
    # And the counters of workers have gone up by what it reports, once the last shard is counted
    name = "virnucpro_worker_shards_total embedded"
    after = wait_until(lambda: (found := sums(scraped(metrics)))[name] - before[name] == shards and found)
    grown = {name: after[name] - before[name] for name in after}
    assert grown["virnucpro_worker_tokens_total"] == tokens
    assert {name: grown[counter] for name, counter in COUNTERS.items()} == {
        name: report["engine"][name] for name in COUNTERS
    }
    assert grown["virnucpro_worker_busy_seconds_total"] >= sum(each["seconds"] for each in worked) - 0.001 * shards
    assert grown["virnucpro_jobs done"] == 1
    assert grown["virnucpro_worker_shards_total failed"] == grown["virnucpro_worker_shards_total quarantined"] == 0
