"""The one-shot command as a user runs it."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import pty
import signal
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from output.tables import read_table
from service.deployment import (
    PATIENCE_SECONDS,
    SAMPLE,
    SHARD_TOKENS,
    Deployment,
    command,
    comparable,
    fault_variables,
    slow_shards,
    wait_until,
)

pytestmark = pytest.mark.service

FLAGS = ("--shard-tokens", SHARD_TOKENS)
"""Of the undisturbed run that others are compared with."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Deployment]:
    """A user without any server: the broker URL leads nowhere."""
    with Deployment(tmp_path, "redis://127.0.0.1:1/0") as started:
        yield started


def left_behind(folder: Path) -> list[psutil.Process]:
    """Processes of ours that still mention `folder` or run a private broker of a finished run."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if str(folder) in " ".join(process.info["cmdline"] or ())
        or str(folder) in (process.info["environ"] or {}).get("VIRNUCPRO_STORE", "")
    ]


def test_standard_input_and_several_files_are_one_job(here: Deployment, tmp_path: Path) -> None:
    other = tmp_path / "more.fasta.gz"
    other.write_bytes(gzip.compress(b">one\n" + b"ACGTTGCA" * 40 + b"\n"))
    arguments = ("-", str(other), "-d", "cpu", "-o", str(tmp_path / "out"), "--dialect", "broad", "--keep-embeddings")
    report = json.loads(here.run("predict", *arguments, "--json", stdin=SAMPLE.read_bytes()))
    assert report["state"] == "done"
    rows = read_table(tmp_path / "out" / "records.tsv")
    assert [row["input"] for row in rows] == ["standard input"] * 14 + [str(other)]
    assert rows[-1]["record_id"] == "one"
    assert rows[-1]["record"] == "15"
    # And the dialect and the embeddings are as asked
    header = (tmp_path / "out" / "prediction_results_highestscore.csv").read_text().splitlines()[0]
    assert header == "Modified_ID\tIs_Virus\tmax_score_0\tmax_score_1"
    assert [file.suffix for file in (tmp_path / "out" / "embeddings").iterdir()] == [".safetensors"]


def test_results_are_replaced_only_by_force(here: Deployment, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text("{}")
    here.run("predict", str(SAMPLE), "-d", "cpu", "-o", str(out), expect=2)
    assert (out / "run.json").read_text() == "{}"
    here.run("predict", str(SAMPLE), "-d", "cpu", "-o", str(out), "--force")
    assert json.loads((out / "run.json").read_text())["exit_code"] == 0


def test_bad_input_leaves_nothing_that_looks_like_results(here: Deployment, tmp_path: Path) -> None:
    bad = tmp_path / "bad.fasta"
    bad.write_text("no sequence\n")
    said = here.messages("predict", str(bad), "-d", "cpu", "-o", str(tmp_path / "out"), expect=3)
    assert "bad.fasta, line 1" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_tears_all_down_and_goes_on_when_repeated(
    here: Deployment, quiet: dict[str, bytes], tmp_path: Path, number: signal.Signals
) -> None:
    here.settings["VIRNUCPRO_SHARD_TOKENS"] = SHARD_TOKENS
    arguments = ["predict", str(SAMPLE), "-d", "cpu", "-o"]
    process = subprocess.Popen(
        [*command(slow_shards(0.3)), *arguments, str(tmp_path / "out")],
        env=here.environment | slow_shards(0.3),
        stderr=subprocess.PIPE,
        process_group=0,
        # A test run in the background of a shell ignores it, and what it starts would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    embedded = (tmp_path / "out" / ".virnucpro-work" / "jobs").glob
    wait_until(lambda: len(list(embedded("*/embeddings/0*"))) >= 2)
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert b"Traceback" not in errors
    assert process.returncode == 130
    assert left_behind(tmp_path / "out") == []
    assert not (tmp_path / "out" / "run.json").exists()
    (attempts,) = embedded("*/attempts")
    done = {file.name: file.stat().st_mtime_ns for file in (attempts.parent / "embeddings").iterdir()}
    assert done
    here.run(*arguments, str(tmp_path / "out"))
    assert comparable(tmp_path / "out") == quiet
    assert not (tmp_path / "out" / ".virnucpro-work").exists()


def test_a_terminal_that_is_closed_interrupts_a_run_unless_nohup_protects_it(here: Deployment, tmp_path: Path) -> None:
    here.settings |= {"VIRNUCPRO_SHARD_TOKENS": SHARD_TOKENS} | slow_shards(0.2)
    out = tmp_path / "out"
    for action, code in ((signal.SIG_DFL, 130), (signal.SIG_IGN, 0)):
        ours, theirs = pty.openpty()

        def take_terminal(action: signal.Handlers = action) -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGHUP, action)

        process = subprocess.Popen(
            [*command(here.settings), "predict", str(SAMPLE), "-d", "cpu", "-o", str(out)],
            env=here.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=take_terminal,
        )
        os.close(theirs)
        embedded = len(list(out.glob(".virnucpro-work/jobs/*/embeddings/0*")))
        wait_until(lambda: len(list(out.glob(".virnucpro-work/jobs/*/embeddings/0*"))) > embedded)  # noqa: B023
        os.close(ours)
        assert process.wait(timeout=PATIENCE_SECONDS) == code
        assert left_behind(out) == []
        assert (out / "run.json").exists() == (code == 0)


def test_a_killed_run_leaves_no_process_behind(here: Deployment, tmp_path: Path) -> None:
    here.settings |= {"VIRNUCPRO_SHARD_TOKENS": SHARD_TOKENS} | slow_shards(0.3)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*command(here.settings), "predict", str(SAMPLE), "-d", "cpu", "-o", str(out)],
        env=here.environment,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: list(out.glob(".virnucpro-work/jobs/*/embeddings/0*")))
    ours = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(ours, timeout=PATIENCE_SECONDS)
    assert alive == []


def test_workers_that_are_killed_while_they_load_end_the_run_with_the_cause(here: Deployment, tmp_path: Path) -> None:
    here.settings |= fault_variables("loading")
    said = here.messages("predict", str(SAMPLE), "-d", "cpu", "-o", str(tmp_path / "out"), expect=4)
    assert said.count("embed-cpu0 lost its computing process, which was killed by SIGKILL (") == 3
    assert "3 times in a row before it was ready (give it more memory" in said.splitlines()[-1]
    assert left_behind(tmp_path / "out") == []


def test_a_private_redis_that_is_killed_is_started_again_and_nothing_is_lost(here: Deployment, tmp_path: Path) -> None:
    here.settings |= {"VIRNUCPRO_SHARD_TOKENS": SHARD_TOKENS} | slow_shards(0.1)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*command(here.environment), "predict", str(SAMPLE), "-d", "cpu", "-o", str(out)],
        env=here.environment,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: list(out.glob(".virnucpro-work/jobs/*/embeddings/0*")))
    (server,) = (child for child in psutil.Process(process.pid).children() if "server" in child.name())
    assert not list(out.glob(".virnucpro-work/**/*.aof*"))
    server.kill()
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, errors
    assert b"the private Redis had ended and was started again" in errors
    assert len(read_table(out / "records.tsv")) == 14


def test_a_device_that_is_not_there_is_an_error_not_a_fallback(here: Deployment, tmp_path: Path) -> None:
    here.settings["CUDA_VISIBLE_DEVICES"] = ""
    out = tmp_path / "out"
    said = here.messages("predict", str(SAMPLE), "-d", "0", "-o", str(out), expect=2)
    assert "not visible" in said or "CUDA" in said
    said = here.messages("predict", str(SAMPLE), "-d", "cpu", "--attention", "triton", "-o", str(out), expect=2)
    assert "attention backend 'triton' needs a CUDA device" in said.splitlines()[-1]
    assert "cannot be made" in here.messages("predict", str(SAMPLE), "-d", "cpu", "-o", "/proc/no", expect=2)
