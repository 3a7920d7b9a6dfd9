"""The one-shot command as a user runs it."""

from __future__ import annotations

import gzip
import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from output.tables import read_table
from service.deployment import (
    PATIENCE_SECONDS,
    SAMPLE,
    SHARD_TOKENS,
    Deployment,
    comparable,
    fault_variables,
    slow_shards,
    start,
    wait_until,
)

pytestmark = pytest.mark.service

NOWHERE = "redis://127.0.0.1:1/0"

FLAGS = ("--shard-tokens", SHARD_TOKENS)
"""Of the undisturbed run that others are compared with."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Deployment]:
    """A user without any server: the broker URL leads nowhere."""
    with Deployment(tmp_path, NOWHERE) as started:
        yield started


def left_behind(folder: Path) -> list[psutil.Process]:
    """Processes of ours that still mention `folder` or run a private broker of a finished run."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if str(folder) in " ".join(process.info["cmdline"] or ())
        or str(folder) in (process.info["environ"] or {}).get("VIRNUCPRO_STORE", "")
    ]


@dataclass(frozen=True)
class Forced:
    """A run that replaced earlier results: its output folder, its other input, and the report that it printed."""

    out: Path
    other: Path
    report: dict[str, Any]


@pytest.fixture(scope="module")
def forced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forced]:
    folder = tmp_path_factory.mktemp("forced")
    out, other = folder / "out", folder / "more.fasta.gz"
    other.write_bytes(gzip.compress(b">one\n" + b"ACGTTGCA" * 40 + b"\n"))
    out.mkdir()
    (out / "run.json").write_text("{}")
    arguments = ("-", str(other), "-d", "cpu", "-o", str(out), "--dialect", "broad", "--keep-embeddings", "--json")
    with Deployment(folder, NOWHERE) as here:
        here.run("predict", *arguments, expect=2, stdin=SAMPLE.read_bytes())
        assert (out / "run.json").read_text() == "{}"
        yield Forced(out, other, json.loads(here.run("predict", *arguments, "--force", stdin=SAMPLE.read_bytes())))


def test_standard_input_and_several_files_are_one_job(forced: Forced) -> None:
    assert forced.report["state"] == "done"
    rows = read_table(forced.out / "records.tsv")
    assert [row["input"] for row in rows] == ["standard input"] * 14 + [str(forced.other)]
    assert rows[-1]["record_id"] == "one"
    assert rows[-1]["record"] == "15"
    # And the dialect and the embeddings are as asked
    header = (forced.out / "prediction_results_highestscore.csv").read_text().splitlines()[0]
    assert header == "Modified_ID\tIs_Virus\tmax_score_0\tmax_score_1"
    assert [file.suffix for file in (forced.out / "embeddings").iterdir()] == [".safetensors"]


def test_results_are_replaced_only_by_force(forced: Forced) -> None:
    # That they are refused without, the fixture has seen.
    assert json.loads((forced.out / "run.json").read_text())["exit_code"] == 0


def test_bad_input_leaves_nothing_that_looks_like_results(here: Deployment, tmp_path: Path) -> None:
    bad = tmp_path / "bad.fasta"
    bad.write_text("no sequence\n")
    said = here.messages("predict", str(bad), "-d", "cpu", "-o", str(tmp_path / "out"), expect=3)
    assert "bad.fasta, line 1" in said
    assert not (tmp_path / "out").exists()


class Run:
    """A run in a terminal of its own, until it has embedded something more."""

    def __init__(self, here: Deployment, *, ignored: Sequence[signal.Signals] = (), says: int | None = None) -> None:
        self.out, self._log = here.folder / "out", here.folder / "run.log"
        self.terminal, theirs = pty.openpty()

        before = self.vectors()
        self.process = start(
            ["--log-file", str(self._log), "predict", str(SAMPLE), "-d", "cpu", "-o", str(self.out)],
            here.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs if says is None else says,
            start_new_session=True,
            # Nor SIGINT: a test run in the background of a shell ignores it, and what it starts would too.
            ignored=ignored,
        )
        os.close(theirs)
        wait_until(lambda: len(self.vectors()) > len(before))
        self.family = psutil.Process(self.process.pid).children(recursive=True)

    def vectors(self) -> dict[str, int]:
        """The files of vectors that are there, and when they were written."""
        found = self.out.glob(".virnucpro-work/jobs/*/embeddings/0*")
        return {file.name: file.stat().st_mtime_ns for file in found}

    def hang_up(self) -> None:
        """Close its terminal."""
        os.close(self.terminal)
        self.terminal = -1

    def end(self) -> Ended:
        """Wait until it has ended."""
        said = self.process.communicate(timeout=PATIENCE_SECONDS)[1] or self._log.read_bytes()
        if self.terminal >= 0:
            self.hang_up()
        has_results = (self.out / "run.json").exists()
        return Ended(self.process.returncode, said, self.family, self.out, has_results, self.vectors())


@dataclass(frozen=True)
class Ended:
    """How a run ended, and what it said on standard error; if that was its terminal, in its log."""

    code: int
    said: bytes
    family: list[psutil.Process]
    """The processes that it had started."""
    out: Path
    has_results: bool
    vectors: dict[str, int]


def _kill_redis(run: Run) -> None:
    (server,) = (process for process in run.family if "server" in process.name())
    assert not list(run.out.glob(".virnucpro-work/**/*.aof*"))
    server.kill()


def _hang_up_and_kill_redis(run: Run) -> None:
    run.hang_up()
    _kill_redis(run)


LAST = "nohup, a closed terminal and a killed Redis"
HARMS: dict[str, Callable[[Run], None]] = {
    "SIGINT": lambda run: os.killpg(run.process.pid, signal.SIGINT),
    "SIGTERM": lambda run: os.killpg(run.process.pid, signal.SIGTERM),
    "SIGKILL": lambda run: run.process.kill(),
    "closed terminal": Run.hang_up,
    LAST: _hang_up_and_kill_redis,
}


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """One command, repeated after each of HARMS to it while it embeds; with the last one it goes through."""
    folder = tmp_path_factory.mktemp("runs")
    slow = folder / "slow"
    # Most of the 12 shards are left, however late the harm is done
    slow.write_text("1.5")
    found = {}
    with Deployment(folder, NOWHERE, settings={"VIRNUCPRO_SHARD_TOKENS": SHARD_TOKENS} | slow_shards(slow)) as here:
        for name, harm in HARMS.items():
            is_piped = name not in ("closed terminal", LAST)
            ignored = [signal.SIGHUP] if name == LAST else []
            run = Run(here, ignored=ignored, says=subprocess.PIPE if is_piped else None)
            harm(run)
            if name == LAST:
                slow.write_text("0")
            found[name] = run.end()
            if name == "SIGKILL":
                psutil.wait_procs(run.family, timeout=PATIENCE_SECONDS)
            assert left_behind(run.out) == [], name
    return found


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "closed terminal"])
def test_an_interrupted_run_tears_all_down_and_goes_on_when_repeated(ends: dict[str, Ended], name: str) -> None:
    end = ends[name]
    assert b"Traceback" not in end.said
    assert end.code == 130
    assert not end.has_results
    # What was embedded by then is there after the next run
    names = list(HARMS)
    before, after = end.vectors, ends[names[names.index(name) + 1]]
    assert before and (after.has_results or before.items() <= after.vectors.items())


def test_what_was_interrupted_again_and_again_gives_the_same_results(
    ends: dict[str, Ended], quiet: dict[str, bytes]
) -> None:
    end = ends[LAST]
    assert comparable(end.out) == quiet
    assert not (end.out / ".virnucpro-work").exists()


def test_nohup_protects_a_run_whose_terminal_is_closed(ends: dict[str, Ended]) -> None:
    assert ends[LAST].code == 0 and ends[LAST].has_results


def test_a_killed_run_leaves_no_process_behind(ends: dict[str, Ended]) -> None:
    end = ends["SIGKILL"]
    assert end.code == -signal.SIGKILL and not end.has_results
    assert len(end.family) >= 7 and not any(process.is_running() for process in end.family)


def test_workers_that_are_killed_while_they_load_end_the_run_with_the_cause(here: Deployment, tmp_path: Path) -> None:
    here.settings |= fault_variables("loading")
    said = here.messages("predict", str(SAMPLE), "-d", "cpu", "-o", str(tmp_path / "out"), expect=4)
    assert said.count("embed-cpu0 lost its computing process, which was killed by SIGKILL (") == 3
    assert "3 times in a row before it was ready (give it more memory" in said.splitlines()[-1]
    assert left_behind(tmp_path / "out") == []


def test_a_private_redis_that_is_killed_is_started_again_and_nothing_is_lost(ends: dict[str, Ended]) -> None:
    end = ends[LAST]
    assert end.code == 0, end.said
    assert b"the private Redis had ended and was started again" in end.said
    assert len(read_table(end.out / "records.tsv")) == 14


def test_a_device_that_is_not_there_is_an_error_not_a_fallback(here: Deployment, tmp_path: Path) -> None:
    here.settings["CUDA_VISIBLE_DEVICES"] = ""
    out = tmp_path / "out"
    said = here.messages("predict", str(SAMPLE), "-d", "0", "-o", str(out), expect=2)
    assert "not visible" in said or "CUDA" in said
    said = here.messages("predict", str(SAMPLE), "-d", "cpu", "--attention", "triton", "-o", str(out), expect=2)
    assert "attention backend 'triton' needs a CUDA device" in said.splitlines()[-1]
    assert "cannot be made" in here.messages("predict", str(SAMPLE), "-d", "cpu", "-o", "/proc/no", expect=2)
