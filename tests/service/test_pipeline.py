"""The whole path on a real Redis with real worker processes."""

from __future__ import annotations

import csv
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from service.deployment import SAMPLE, SHARD_TOKENS, Deployment, comparable, slow_shards, wait_until

from virnucpro_tasks.broker import EmbeddedBroker

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def one_shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of `predict`, undisturbed."""
    folder = tmp_path_factory.mktemp("shot")
    alone = Deployment(folder, "redis://127.0.0.1:1/0", settings={"VIRNUCPRO_SHARD_TOKENS": SHARD_TOKENS})
    alone.run("predict", str(SAMPLE), "--devices", "cpu", "--output", str(folder / "out"))
    return folder / "out"


def records_of(results: Path) -> list[dict[str, str]]:
    with (results / "records.tsv").open(newline="") as table:
        return list(csv.DictReader(table, delimiter="\t"))


@pytest.fixture(scope="module")
def own_broker(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("redis"), server=server) as started:
        yield started


@pytest.fixture(scope="module")
def growing(own_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker that other ones join; how long a shard takes them is in a file."""
    folder = tmp_path_factory.mktemp("growing")
    slow(folder, 0)
    # Shards small enough that workers share a job
    settings = {"VIRNUCPRO_SHARD_TOKENS": SHARD_TOKENS} | slow_shards(folder / "slow")
    with Deployment(folder, own_broker.url, settings=settings) as started:
        started.start_workers("cpu")
        yield started


def slow(folder: Path, seconds: float) -> None:
    """Shards that are begun from now on take so much longer."""
    (folder / "slow").write_text(str(seconds))


def test_cancel_then_resume_though_redis_has_forgotten_everything(
    growing: Deployment, own_broker: EmbeddedBroker
) -> None:
    # Given a job that is cancelled long before its 12 shards are done
    slow(growing.folder, 2)
    job_id = growing.run("submit", str(SAMPLE), "--force-new").strip()
    growing.run("cancel", job_id)
    assert growing.json("status", job_id, "--no-workers")["state"] == "cancelled"
    redis.Redis(unix_socket_path=str(own_broker.socket)).flushall()
    slow(growing.folder, 0)
    growing.run("watch", job_id, expect=5)
    growing.run("resume", job_id)
    growing.run("watch", job_id)
    assert growing.json("status", job_id)["state"] == "done"
    growing.run("cancel", job_id, expect=5)
    growing.run("remove", job_id)
    assert growing.json("list") == []


def test_one_worker_four_workers_and_one_shot_give_the_same_bytes(
    growing: Deployment, one_shot: Path, tmp_path: Path
) -> None:
    slow(growing.folder, 0.1)
    growing.run("submit", str(SAMPLE), "--force-new", "--output", str(tmp_path / "one"))
    # When a second supervisor joins with three more devices
    growing.start_workers("cpu,cpu,cpu", "--coordinators", "0", "--name", "more")
    growing.run("submit", str(SAMPLE), "--force-new", "--output", str(tmp_path / "many"))
    # Then the results are those of a run in one shot, and every record has its row in input order
    assert comparable(tmp_path / "one") == comparable(tmp_path / "many") == comparable(one_shot)
    names = [line[1:].split()[0] for line in SAMPLE.read_text().splitlines() if line.startswith(">")]
    assert [row["record_id"] for row in records_of(tmp_path / "one")] == names
    assert {"virus", "others"} >= {row["call"] for row in records_of(tmp_path / "one") if row["status"] == "scored"}
    assert "DEMONSTRATION" in records_of(tmp_path / "one")[0]["model"]
    # And that run left nothing but results
    assert not any(file.name.startswith(".") for file in one_shot.iterdir())


def test_a_killed_worker_loses_nothing(growing: Deployment, one_shot: Path, tmp_path: Path) -> None:
    # Given a job on several devices
    slow(growing.folder, 0.3)
    job_id = growing.run("submit", str(SAMPLE), "--force-new").strip()
    embeddings = growing.store / "jobs" / job_id / "embeddings"
    wait_until(lambda: len(list(embeddings.glob("[0-9]*"))) >= 2)
    # When one of the worker processes is killed in the middle, with its pool
    supervisor = psutil.Process(growing.supervisors[0].pid)
    victim = next(child for child in supervisor.children() if "cpu0" in " ".join(child.cmdline()))
    for process in [*victim.children(recursive=True), victim]:
        process.send_signal(signal.SIGKILL)
    # Then the job completes with the bytes of an undisturbed run
    growing.run("watch", job_id)
    growing.run("results", job_id, "--output", str(tmp_path / "killed"))
    assert comparable(tmp_path / "killed") == comparable(one_shot)


def test_bad_input_fails_the_job_and_the_next_one_runs(serving: Deployment, tmp_path: Path) -> None:
    page, bad = tmp_path / "page.fasta", tmp_path / "cut.fastq"
    page.write_text("<html><body>404</body></html>\n")
    assert "page.fasta, line 1: this is HTML" in serving.messages("submit", str(page), expect=3)
    # What only reading it all shows
    bad.write_text("@a\nACGT\n+\nIIII\n@b\nACGT\n+\nII")
    job_id = serving.run("submit", str(bad)).strip()
    report = serving.json("watch", job_id, expect=3)
    assert report["state"] == "failed"
    assert "cut.fastq" in report["message"]
    serving.run("submit", str(SAMPLE), "--wait", "--force-new")


def test_a_job_without_frames_ends_without_a_worker_for_its_bundle(serving: Deployment, tmp_path: Path) -> None:
    short = tmp_path / "short.fasta"
    short.write_text("".join(f">r{number}\nACGTACGTAC\n" for number in range(1000)))
    serving.run("submit", str(short), "--output", str(tmp_path / "out"))
    assert {row["status"] for row in records_of(tmp_path / "out")} == {"too_short"}
    assert len(records_of(tmp_path / "out")) == 1000
