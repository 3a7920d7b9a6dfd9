"""A small deployment for tests: a broker, a store, worker supervisors, and the command line, all real processes."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from unittest import mock

from job import SAMPLE as SAMPLE
from service.faulty_python import faulty_python
from service.forks import ForkedProcess

from virnucpro_tasks.cli.main import main
from virnucpro_tasks.recovery.events import Began, read_events
from virnucpro_tasks.system.interruption import ENDING_SIGNALS

COMMAND = [sys.executable, "-m", "virnucpro_tasks.cli.main"]

SHARD_TOKENS = "500"
"""The sample makes 12 shards."""

MANY_SHARDS = ("--expected-length", "150", "--shard-tokens", "400", "--allow-mismatch")
"""Flags with which the sample makes 33 shards: enough to harm a job half way."""

PATIENCE_SECONDS = 300.0
"""No measure of anything: a machine with ten times more to do than cores still gets there in that time."""

CLIENT_COMMANDS = ("submit", "status", "watch", "list", "results", "cancel", "resume", "remove", "config", "doctor")
"""They start no process, so most tests call them in their own."""


def fault_variables(faults: str) -> dict[str, str]:
    """What a worker needs in its environment to have the faults of `faults/`: names, or the path of a file of names.

    They are at work in what `command` starts.
    """
    return {"TEST_FAULTS": faults}


def command(environment: Mapping[str, str]) -> list[str]:
    """The command line of `virnucpro`, run by an interpreter with faults if `environment` asks for some."""
    return [str(faulty_python()), *COMMAND[1:]] if "TEST_FAULTS" in environment else COMMAND


def start(arguments: Sequence[str], environment: Mapping[str, str], **options: Any) -> subprocess.Popen[bytes]:
    """Start `virnucpro`, without the seconds that an interpreter takes to begin, with the options of ForkedProcess."""
    return ForkedProcess([*COMMAND, *arguments], env=environment, **options)


def slow_shards(seconds: float | Path) -> dict[str, str]:
    """What a worker needs in its environment to take so long for a shard, without computing more.

    A file with the seconds may be changed while it runs.
    """
    return fault_variables("none") | {"TEST_SLOW_SECONDS": str(seconds)}


def remembered_packs() -> dict[str, str]:
    """What a worker needs in its environment to compute no pack twice, where only the fate of shards is of interest."""
    return fault_variables("none") | {"TEST_REMEMBERS": "1"}


def in_this_process(
    arguments: Sequence[str], environment: dict[str, str], *, timeout: float
) -> subprocess.CompletedProcess[bytes]:
    """What `virnucpro` does, without the time that a process takes to start."""

    def too_long(*_: object) -> None:
        raise TimeoutError(f"{arguments} takes more than {timeout} s")

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    handlers = {number: signal.getsignal(number) for number in (*ENDING_SIGNALS, signal.SIGALRM)}
    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            mock.patch.object(sys, "argv", ["virnucpro", *arguments]),
            mock.patch.object(subprocess, "Popen", ForkedProcess),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    said = [stream.buffer.getvalue() for stream in (out, err)]
    return subprocess.CompletedProcess(arguments, code, *said)


@dataclass
class Deployment:
    """Everything a user would set up, in one folder; leaving the block ends all processes that were started."""

    folder: Path
    broker_url: str
    settings: dict[str, str] = field(default_factory=dict)
    supervisors: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def environment(self) -> dict[str, str]:
        ours = {
            "VIRNUCPRO_STORE": str(self.store),
            "VIRNUCPRO_BROKER_URL": self.broker_url,
            "VIRNUCPRO_BUNDLE": "demo",
            "VIRNUCPRO_LEASE_SECONDS": "4",
            "VIRNUCPRO_SOFT_SHUTDOWN_SECONDS": "1",
        }
        return os.environ | ours | self.settings

    def run(
        self,
        *arguments: str,
        expect: int = 0,
        timeout: float = PATIENCE_SECONDS,
        stdin: bytes | None = None,
        owner: str | None = None,
    ) -> str:
        """Run `virnucpro`; returns its standard output. A traceback or another exit code fails the test."""
        return self._run(*arguments, expect=expect, timeout=timeout, stdin=stdin, owner=owner).stdout.decode()

    def finish(self, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[bytes]:
        """The same; returns all that it says."""
        return self._run(*arguments, expect=expect, timeout=PATIENCE_SECONDS, stdin=None)

    def messages(self, *arguments: str, expect: int = 0) -> str:
        """The same; returns what it says on standard error."""
        return self._run(*arguments, expect=expect, timeout=PATIENCE_SECONDS, stdin=None).stderr.decode()

    def _run(
        self, *arguments: str, expect: int, timeout: float, stdin: bytes | None, owner: str | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        environment = self.environment | ({"VIRNUCPRO_OWNER": owner} if owner else {})
        if arguments[0] in CLIENT_COMMANDS and stdin is None:
            result = in_this_process(arguments, environment, timeout=timeout)
        else:
            streams = {"stdin": None if stdin is None else subprocess.PIPE}
            streams |= dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
            with start(arguments, environment, **streams) as process:
                try:
                    said = process.communicate(stdin, timeout)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise
            result = subprocess.CompletedProcess(arguments, process.returncode, *said)
        errors = result.stderr.decode()
        assert "Traceback" not in errors, errors
        assert result.returncode == expect, f"exit {result.returncode}: {errors}\n{self.worker_log()}"
        return result

    def json(self, *arguments: str, expect: int = 0) -> Any:
        """Run `virnucpro ... --json` and parse what it prints."""
        return json.loads(self.run(*arguments, "--json", expect=expect))

    def start_workers(
        self, devices: str, *options: str, small_lane: bool = False, inside: Sequence[str] = (), **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start `virnucpro worker --devices ...`, maybe with other variables; does not wait until it is ready.

        One coordinator serves all jobs, small ones too, unless `small_lane` asks for the second one of a real host.
        `inside` is put before the command line.
        """
        variables = self.environment | environment
        lane = () if small_lane else ("--no-small-lane",)
        with self.log.open("ab") as log:
            arguments = ["worker", "--devices", devices, *lane, *options]
            if inside:
                words = [*inside, *command(variables), *arguments]
                process = subprocess.Popen(words, env=variables, stdout=log, stderr=log)
            else:
                process = start(arguments, variables, stdout=log, stderr=log)
        self.supervisors.append(process)
        return process

    @property
    def log(self) -> Path:
        """What all workers write."""
        return self.folder / "workers.log"

    def worker_log(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End all processes that were started, at once: a supervisor kills its workers on the second signal."""
        for process in self.supervisors:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGINT)
        for process in self.supervisors:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until(condition: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    """Poll until `condition` returns something true, and return it; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError(f"nothing within {seconds} s")


def comparable(results: Path) -> dict[str, bytes]:
    """The result files by name, without what may differ between two runs: times and the log."""
    content = {file.name: file.read_bytes() for file in results.iterdir() if file.is_file()}
    report = json.loads(content.pop("run.json"))
    timed = report.pop("times").get("sha256", {})
    for name in [name for name in content if name.endswith(".log") or name in timed]:
        content.pop(name)
    return content | {"run.json": json.dumps(report, sort_keys=True).encode()}


def attempts_begun(attempts: Path) -> int:
    """How many attempts an attempts file has, whether they have ended or not."""
    return sum(isinstance(event, Began) for event in read_events(attempts))
