"""No deployment file sets a variable that the settings refuse, and the checks of commands can fail."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from deploy.commands import DEPLOY, SETTING_VARIABLES, check_command, variables_of

FILES = sorted(file for file in DEPLOY.rglob("*") if file.is_file())


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(DEPLOY)))
def test_every_variable_is_a_setting(file: Path) -> None:
    assert variables_of(file.read_text()) <= SETTING_VARIABLES


def test_files_are_found_and_name_settings() -> None:
    assert {"VIRNUCPRO_STORE", "VIRNUCPRO_BROKER_URL"} <= {
        name for file in FILES for name in variables_of(file.read_text())
    }


@pytest.mark.parametrize(
    "words",
    [
        ["virnucpro", "worker", "--no-such-flag"],
        ["virnucpro", "no-such-command"],
        ["python", "-m", "virnucpro_workers", "--no-such-flag"],
        ["python", "-m", "virnucpro_workers.health"],
        ["sh", "-c", "true"],
    ],
)
def test_a_command_that_is_not_ours_is_noticed(words: list[str]) -> None:
    with pytest.raises((AssertionError, SystemExit, click.ClickException)):
        check_command(words)
