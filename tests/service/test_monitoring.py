"""What an operator looks at: Flower behind a password on loopback, doctor, status, list."""

from __future__ import annotations

import base64
import json
import random
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from browser import chromium
from deploy.redis_server import free_port
from hostile import FOREIGN_VARIABLES, SHADOWS, fill
from service.deployment import COMMAND, PATIENCE_SECONDS, SAMPLE, Deployment, start, wait_until

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import workers
from virnucpro_tasks.queue.work_counts import all_work_counts
from virnucpro_tasks.recovery.events import Began, read_events
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service


def worker_names(deployment: Deployment) -> list[str]:
    return [worker.name for worker in workers(make_app(Settings(broker_url=deployment.broker_url)))]


def answer(url: str, *, login: str | None = None, post: bool = False) -> int:
    """The status code of a request; 0 while nobody listens."""
    request = urllib.request.Request(url, data=b"" if post else None)
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code
    except urllib.error.URLError:
        return 0


def test_flower_listens_on_loopback_asks_for_a_password_and_stops_no_worker(
    serving: Deployment, tmp_path: Path
) -> None:
    port, login = free_port(), "operator:made-up"
    hostile = {"FLOWER_PORT": "tcp://10.0.0.1:5555", "FLOWER_UNIX_SOCKET": "x", "MARK": str(tmp_path / "mark")}
    name = wait_until(lambda: [worker for worker in worker_names(serving) if worker.startswith("embed-")])[0]
    process = subprocess.Popen(
        [*COMMAND, "flower", "--port", str(port)],
        env=serving.environment | FOREIGN_VARIABLES | hostile | {"FLOWER_BASIC_AUTH": login},
        stderr=subprocess.DEVNULL,
        cwd=fill(tmp_path / "hostile", *SHADOWS),
    )
    try:
        url = f"http://127.0.0.1:{port}"
        assert wait_until(lambda: answer(url)) == 401
        assert answer(f"{url}/api/tasks") == 401
        assert wait_until(lambda: answer(f"{url}/api/workers?refresh=1", login=login)) == 200
        assert answer(f"{url}/api/worker/shutdown/{name}", login=login, post=True) == 403
        sockets = psutil.Process(process.pid).net_connections("inet")
        assert {entry.laddr.ip for entry in sockets if entry.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
        assert not (tmp_path / "mark").exists()
        assert "made-up" not in " ".join(psutil.Process(process.pid).cmdline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)


@contextmanager
def stopped_job(deployment: Deployment, folder: Path) -> Iterator[str]:
    """The id of a job whose computing process is stopped."""
    reads = folder / "reads.fasta"
    dice = random.Random(5)
    reads.write_text("".join(f">r{number}\n{''.join(dice.choices('ACG', k=600))}\n" for number in range(300)))
    job_id = deployment.run("submit", str(reads), owner="carol").strip()
    attempts = JobPaths.of(deployment.store, job_id).attempts(0)
    began = wait_until(lambda: [event for event in read_events(attempts) if isinstance(event, Began)])[0]
    process = psutil.Process(began.pid)
    process.suspend()
    try:
        yield job_id
    finally:
        with suppress(psutil.NoSuchProcess):  # its worker has ended it
            process.resume()
        deployment.run("cancel", job_id)


@contextmanager
def flower(deployment: Deployment, login: str) -> Iterator[str]:
    """The address of Flower."""
    port = free_port()
    environment = deployment.environment | {"FLOWER_BASIC_AUTH": login}
    process = start(["flower", "--port", str(port)], environment, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answer(url) == 401)
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def found_tasks(page: Any, url: str, search: str, *, number: int) -> list[str]:
    """The rows that Flower's list of tasks shows for a search, once there are so many."""

    def rows() -> list[str]:
        page.goto(f"{url}/tasks")
        page.fill("input[type=search]", search)
        page.wait_for_selector("#tasks-table_info:has-text('filtered')")
        is_complete = f"of {number} task" in page.locator("#tasks-table_info").inner_text()
        return list(page.locator("#tasks-table tbody tr").all_text_contents()) if is_complete else []

    return list(wait_until(rows))


def test_flower_finds_the_tasks_of_a_job_and_failed_and_stuck_ones(serving: Deployment, tmp_path: Path) -> None:
    broken = tmp_path / "broken.fasta"
    broken.write_text(">r\nACGT!!!\n")
    with ExitStack() as stack:
        url = stack.enter_context(flower(serving, "operator:made-up"))
        shown = stack.enter_context(chromium())
        # When an operator has logged in
        login = {"username": "operator", "password": "made-up"}
        page = shown.new_page(http_credentials=login, viewport={"width": 1200, "height": 800})
        page.set_default_timeout(1_000 * PATIENCE_SECONDS)
        # Then he sees the workers by their devices
        page.goto(f"{url}/workers")
        for name in ("embed-cpu0@", "coordinate-0@"):
            page.wait_for_selector(f"#workers-table tbody tr:has-text('{name}'):has-text('Online')")
        # And of a job that is done then, one that has failed and one that stands still
        done = serving.run("submit", str(SAMPLE), "--shard-tokens", "500", "--force-new", owner="alice").strip()
        failed = serving.run("submit", str(broken), "--strict", owner="bob").strip()
        serving.run("watch", done)
        serving.run("watch", failed, expect=ExitCode.BAD_INPUT)
        stuck = stack.enter_context(stopped_job(serving, tmp_path))
        # He finds the tasks, a search for each question
        shards = found_tasks(page, url, f"state:SUCCESS name:embed_shard args:{done}", number=12)
        assert all("owner=alice" in row and "embed-cpu0@" in row for row in shards)
        assert {f"shard={shard}" for shard in range(12)} == {row.split()[0] for row in shards}
        assert found_tasks(page, url, f'"shard=11 " args:{done}', number=1)[0].startswith("shard=11 ")
        (row,) = found_tasks(page, url, f"state:FAILURE name:split_job args:{failed}", number=1)
        assert "JobHasFailedError" in row and "coordinate-" in row
        (row,) = found_tasks(page, url, "state:STARTED", number=1)
        assert row.startswith("shard=0 owner=carol") and stuck in row and "ago" in row


def test_doctor_and_status_tell_what_is_missing_and_then_that_nothing_is(deployment: Deployment) -> None:
    before = {finding["check"]: finding for finding in deployment.json("doctor", expect=4)}
    assert [check for check, finding in before.items() if not finding["ok"]] == [
        "store",
        "file system of the store",
        "workers",
    ]
    assert "virnucpro worker" in before["workers"]["advice"] and before["memory of Redis"]["ok"]
    job_id = deployment.run("submit", str(SAMPLE)).strip()
    assert deployment.json("status", job_id)["workers"] == []
    assert "no worker takes the job, neither a coordinator nor one with bundle" in deployment.run("status", job_id)
    deployment.start_workers("cpu", small_lane=True)
    deployment.run("watch", job_id)
    wait_until(lambda: len(worker_names(deployment)) == 3)
    assert all(finding["ok"] for finding in deployment.json("doctor"))
    assert [job["state"] for job in deployment.json("list")] == ["done"]
    # The counts that metrics tell of its worker are those of the job
    client = make_app(Settings(broker_url=deployment.broker_url)).backend.client
    (counted,) = wait_until(lambda: list(all_work_counts(client).values()))
    (worked,) = json.loads(JobPaths.of(deployment.store, job_id).run.read_text())["times"]["workers"]
    assert (dict(counted.shards), counted.tokens) == ({"embedded": worked["shards"]}, worked["tokens"])
    assert deployment.json("results", job_id)["files"]
    assert deployment.run("results", job_id, "--output", "-").startswith("record_id\t")
