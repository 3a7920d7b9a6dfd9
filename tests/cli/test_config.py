from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from cli.conftest import Virnucpro

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.settings import Settings


def test_show_names_every_setting_with_its_variable(virnucpro: Virnucpro) -> None:
    ended = virnucpro("config", "show")
    assert ended.code == ExitCode.OK
    for setting in fields(Settings):
        assert any(line.startswith(f"{setting.name} = ") for line in ended.out)
        assert any(line.endswith(f"VIRNUCPRO_{setting.name.upper()}") for line in ended.out)


def test_a_flag_overrides_the_environment_and_that_the_file(
    virnucpro: Virnucpro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("token_budget = 1\ncpu_threads = 1\nshard_tokens = 1\n")
    monkeypatch.setenv("VIRNUCPRO_TOKEN_BUDGET", "2")
    monkeypatch.setenv("VIRNUCPRO_CPU_THREADS", "2")
    monkeypatch.delenv("VIRNUCPRO_SHARD_TOKENS", raising=False)
    ended = virnucpro("--config", file, "config", "show", "--json", "--token-budget", "3")
    shown = json.loads("\n".join(ended.out))
    assert (shown["token_budget"], shown["cpu_threads"], shown["shard_tokens"]) == (3, 2, 1)


def test_show_hides_the_password(virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRNUCPRO_BROKER_URL", "redis://:secret@host:6379/0")
    ended = virnucpro("config", "show", "--json", "--token-budget", "99")
    assert ended.code == ExitCode.OK
    assert "secret" not in "\n".join(ended.out)
    assert json.loads("\n".join(ended.out))["token_budget"] == 99
