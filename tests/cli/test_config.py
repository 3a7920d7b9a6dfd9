from __future__ import annotations

import json
import os
import threading
from dataclasses import fields
from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE

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


EARLIER = "device:\n  default: cpu\nprediction:\n  batch_size: 5\n"


def test_convert_prints_ours_and_says_what_has_no_effect(virnucpro: Virnucpro, tmp_path: Path) -> None:
    file, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    file.write_text(EARLIER)
    ended = virnucpro("config", "convert", file)
    assert ended.code == ExitCode.OK
    assert ended.out == [
        "# Made by 'virnucpro config convert' from old.yaml.",
        "predict:",
        "  devices: cpu  # was device.default",
        "",
        "# Without effect any more:",
        "# prediction.batch_size: 5",
        "#     scores do not depend on a batch",
    ]
    assert virnucpro("config", "convert", file, "-o", new).code == ExitCode.OK
    assert new.read_text().splitlines() == ended.out
    assert virnucpro("--config", new, "config", "show").err == []


def test_convert_replaces_nothing_unasked(virnucpro: Virnucpro, tmp_path: Path) -> None:
    file, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    file.write_text(EARLIER)
    new.write_text("mine")
    ended = virnucpro("config", "convert", file, "-o", new)
    assert ended.code == ExitCode.USAGE and "exists already" in ended.err[-1]
    assert new.read_text() == "mine"
    assert "exists already" in virnucpro("config", "convert", file, "-o", file).err[-1]
    assert "where a result of this name goes" in virnucpro("config", "convert", file, "-o", file, "-f").err[-1]
    assert virnucpro("config", "convert", file, "-o", new, "--force").code == ExitCode.OK
    assert file.read_text() == EARLIER and "devices: cpu" in new.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("predict: {devics: cpu}", "line 1: predict has no option 'devics' (did you mean devices?)"),
        ("predikt: {devices: cpu}", "line 1: there is no setting and no command 'predikt' (did you mean predict?)"),
        ("predicton: {batch_size: 3}", "no setting and no command 'predicton' (did you mean prediction?)"),
        ("predict:\n  bundle: demo", "line 2: bundle is a setting (write 'bundle:' at the top level)"),
        ("submit:\n  priority: high", "line 2: 'high' is not a valid integer range: submit.priority"),
        ("submit:\n  priority: 1000", "line 2: 1000 is not in the range"),
        ("predict:\n  strict: often", "line 2: 'often' is not true or false: predict.strict"),
        ("predict:\n  coverage: off", "line 2: False is not a text or a number: predict.coverage (a word such as"),
        ("predict:\n  input: [a, [b]]", "line 2: ['b'] is not a list of texts: predict.input"),
        ("predict:\n  output: {a: b}", "line 2: {'a': 'b'} is not a text or a number: predict.output"),
        ("predict:\n  output: ~", "line 2: None is not a text or a number: predict.output"),
        ("predict:\n  output: a\n  output-dir: b", "line 3: --output-dir is given twice"),
        ("models: {convert: {hed: x}}", "models.convert has no option 'hed' (did you mean head?)"),
        ("models: {pul: {force: true}}", "models has no option 'pul' (did you mean pull?)"),
        ("models: {convert: 5}", "5 is not a table of options: models.convert"),
        ("submit:\n  timeout: 0", "line 2: '0' is no time of more than 0"),
        ("submit:\n  min_score: .nan", "line 2: 'nan' is not a number"),
    ],
)
def test_options_in_a_file_are_checked(text: str, message: str, virnucpro: Virnucpro, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    ended = virnucpro("--config", file, "config", "show")
    assert ended.code == ExitCode.USAGE
    assert f"{file}, {message}" in ended.err[-1] or (f"{file}" in ended.err[-1] and message in ended.err[-1])


@pytest.mark.parametrize("command", [["config", "show"], ["predict", "--dry-run"]])
def test_a_settings_file_may_be_a_pipe(
    command: list[str], virnucpro: Virnucpro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As <(...) of a shell gives one: it can be read once."""
    monkeypatch.delenv("VIRNUCPRO_DIALECT")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(f"dialect: broad\npredict: {{input: [{SAMPLE}]}}\n",))
    writer.start()
    ended = virnucpro("--config", pipe, *command)
    writer.join()
    assert ended.code == ExitCode.OK, ended.err
    assert command != ["config", "show"] or "dialect = broad" in ended.out
