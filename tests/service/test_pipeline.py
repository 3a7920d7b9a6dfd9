"""The whole path on a real Redis with real worker processes."""

from __future__ import annotations

import csv
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from service.deployment import Deployment, comparable, wait_until

from virnucpro_tasks.broker import EmbeddedBroker

pytestmark = pytest.mark.service

SAMPLE = str(Path(__file__).resolve().parents[2] / "examples" / "sample.fasta")


@pytest.fixture
def deployment(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Deployment]:
    started = Deployment(tmp_path, broker.url)
    yield started
    started.stop()


def records_of(results: Path) -> list[dict[str, str]]:
    with (results / "records.tsv").open(newline="") as table:
        return list(csv.DictReader(table, delimiter="\t"))


def test_one_worker_two_workers_and_one_shot_give_the_same_bytes(deployment: Deployment, tmp_path: Path) -> None:
    # Given shards small enough that two workers share the job
    deployment.settings["VIRNUCPRO_SHARD_TOKENS"] = "5000"
    deployment.start_workers("cpu")
    deployment.run("submit", SAMPLE, "--output", str(tmp_path / "one"))
    # When a second supervisor joins with two more devices
    deployment.start_workers("cpu,cpu")
    deployment.run("submit", SAMPLE, "--force-new", "--output", str(tmp_path / "many"))
    # And the same is done in one shot
    deployment.run("predict", SAMPLE, "--devices", "cpu", "--output", str(tmp_path / "shot"))
    # Then all results are the same, and every record has its row in input order
    assert comparable(tmp_path / "one") == comparable(tmp_path / "many") == comparable(tmp_path / "shot")
    names = [line[1:].split()[0] for line in Path(SAMPLE).read_text().splitlines() if line.startswith(">")]
    assert [row["record_id"] for row in records_of(tmp_path / "one")] == names
    assert {"virus", "others"} >= {row["call"] for row in records_of(tmp_path / "one") if row["status"] == "scored"}
    assert "DEMONSTRATION" in records_of(tmp_path / "one")[0]["model"]
    # And the one-shot run left nothing but results
    assert not any(file.name.startswith(".") for file in (tmp_path / "shot").iterdir())


def test_a_killed_worker_loses_nothing(deployment: Deployment, tmp_path: Path) -> None:
    # Given an undisturbed run
    deployment.settings["VIRNUCPRO_SHARD_TOKENS"] = "1000"
    deployment.run("predict", SAMPLE, "--devices", "cpu", "--output", str(tmp_path / "quiet"))
    # And a job on two devices
    supervisor = deployment.start_workers("cpu,cpu")
    job_id = deployment.run("submit", SAMPLE).strip()
    embeddings = deployment.store / "jobs" / job_id / "embeddings"
    wait_until(lambda: len(list(embeddings.glob("[0-9]*"))) >= 2)
    # When one of the worker processes is killed in the middle, with its pool
    victim = next(child for child in psutil.Process(supervisor.pid).children() if "cpu0" in " ".join(child.cmdline()))
    for process in [*victim.children(recursive=True), victim]:
        process.send_signal(signal.SIGKILL)
    # Then the job completes with the same bytes
    deployment.run("watch", job_id)
    deployment.run("results", job_id, "--output", str(tmp_path / "killed"))
    assert comparable(tmp_path / "killed") == comparable(tmp_path / "quiet")


def test_cancel_then_resume(deployment: Deployment) -> None:
    job_id = deployment.run("submit", SAMPLE).strip()
    deployment.run("cancel", job_id)
    assert deployment.json("status", job_id, "--no-workers")["state"] == "cancelled"
    deployment.start_workers("cpu")
    deployment.run("watch", job_id, expect=5)
    deployment.run("resume", job_id)
    deployment.run("watch", job_id)
    assert deployment.json("status", job_id)["state"] == "done"
    deployment.run("cancel", job_id, expect=5)
    deployment.run("remove", job_id)
    assert deployment.json("list") == []


def test_redis_may_forget_everything(deployment: Deployment, broker: EmbeddedBroker) -> None:
    import redis

    job_id = deployment.run("submit", SAMPLE).strip()
    redis.Redis(unix_socket_path=str(broker.socket)).flushall()
    deployment.start_workers("cpu")
    deployment.run("resume", job_id)
    deployment.run("watch", job_id)


def test_bad_input_fails_the_job_and_the_next_one_runs(deployment: Deployment, tmp_path: Path) -> None:
    bad = tmp_path / "page.fasta"
    bad.write_text("<html><body>404</body></html>\n")
    deployment.start_workers("cpu")
    job_id = deployment.run("submit", str(bad)).strip()
    report = deployment.json("watch", job_id, expect=3)
    assert report["state"] == "failed"
    assert "page.fasta" in report["message"]
    deployment.run("submit", SAMPLE, "--wait")


def test_a_job_without_frames_ends_without_a_worker_for_its_bundle(deployment: Deployment, tmp_path: Path) -> None:
    short = tmp_path / "short.fasta"
    short.write_text("".join(f">r{number}\nACGTACGTAC\n" for number in range(1000)))
    deployment.start_workers("cpu")
    deployment.run("submit", str(short), "--output", str(tmp_path / "out"))
    assert {row["status"] for row in records_of(tmp_path / "out")} == {"too_short"}
    assert len(records_of(tmp_path / "out")) == 1000
