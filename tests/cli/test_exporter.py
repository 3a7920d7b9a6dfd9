from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from deploy.redis_server import free_port
from monitoring.looks import look

from virnucpro_tasks.cli import exporter
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.monitoring import serve
from virnucpro_tasks.settings import Settings

PATIENCE_SECONDS = 120


def test_an_outage_of_redis_is_told_once_and_ctrl_c_is_its_end(
    settings: Settings, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.store / "jobs").mkdir(parents=True)
    away = replace(look(), redis_error="Redis is away")
    looks = iter([look(), away, away, look()])
    monkeypatch.setattr(exporter.Observer, "look", lambda _: next(looks))

    def keep_looking(look_once, *_, **__) -> None:
        for _ in range(4):
            look_once()
        raise KeyboardInterrupt

    monkeypatch.setattr(serve, "keep_looking", keep_looking)
    ended = virnucpro("exporter", "--port", free_port())
    assert ended.code == ExitCode.OK
    assert ended.err[1:] == ["warning: Redis is away", "Redis answers again", "the exporter is stopped by Ctrl-C"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_an_error(settings: Settings, tmp_path: Path, number: signal.Signals) -> None:
    (settings.store / "jobs").mkdir(parents=True)
    port = free_port()
    arguments = ["--store", str(settings.store), "--broker-url", settings.broker_url, "--port", f"{port}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "virnucpro_tasks.cli.main", "exporter", *arguments], stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
    by = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert said.splitlines()[-1] == f"the exporter is stopped by {by}" and "interrupted" not in said
    assert process.returncode == ExitCode.OK
