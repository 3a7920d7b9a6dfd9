"""Every command that a message names exists, with its flags, and what it installs can be installed so."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from deploy.commands import check_command
from deploy.messages import VALUE, texts
from deploy.test_documented_commands import FILES

ROOT = Path(__file__).resolve().parents[2]
NAMED = sorted({found for text in texts("'virnucpro ") for found in re.findall(r"'(virnucpro [a-z][^']*)'", text)})
FROM_REGISTRY = re.compile(r"pip install[^\n]*virnucpro-tasks|virnucpro-tasks\[")


@pytest.mark.parametrize("command", NAMED)
def test_a_command_that_a_message_names_exists(command: str) -> None:
    check_command(shlex.split(command.replace(VALUE, "X")))


def test_commands_are_found_in_messages() -> None:
    assert {"virnucpro list", "virnucpro doctor --clean", f"virnucpro resume {VALUE}"} <= set(NAMED)


def test_no_hint_installs_from_a_registry_on_which_the_package_is_not() -> None:
    assert not [text for text in texts() if FROM_REGISTRY.search(text)]
    assert not [file for file in FILES if file.is_file() and FROM_REGISTRY.search(file.read_text())]


def test_extras_that_are_to_be_installed_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    documents = [file.read_text() for file in FILES if file.is_file()]
    named = {
        extra for text in documents for found in re.findall(r"'\.\[([\w,]+)\]'", text) for extra in found.split(",")
    }
    assert {"worker", "embedded"} <= named <= set(extras)
