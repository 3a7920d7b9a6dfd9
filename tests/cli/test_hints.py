"""Every command that a message or a document names exists, with the options that it is named with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from deploy.messages import texts

from virnucpro_tasks.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    file
    for pattern in ("*.md", "docs/**/*.md", "deploy/**/*", "examples/*.md", "benchmarks/notes/*.md")
    for file in ROOT.glob(pattern)
    if file.is_file() and file.name != "CHANGELOG.md"
)
IN_MESSAGE = re.compile(r"'virnucpro ([^']+)'")
IN_DOCUMENT = re.compile(r"`virnucpro ([^`]+)`|^(?:[$] )?(?:[\w/.]*/)?virnucpro +([a-z-][^|#&;\n]*)", re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])(--?[a-z][\w-]*)")


def named() -> Iterator[tuple[str, str]]:
    """Where a command is named, and what follows `virnucpro`."""
    for text in texts():
        yield from (("a message", found) for found in IN_MESSAGE.findall(text))
    for file in DOCUMENTS:
        text = file.read_text(errors="replace").replace("\\\n", " ")
        yield from ((file.name, one or other) for one, other in IN_DOCUMENT.findall(text))


def fault(line: str) -> str | None:
    """Why `line` is no call of a command: its name, a name of a group, or an option is unknown."""
    words = line.split()
    if words[0].startswith("-"):
        return None if words[0] in ("--version", "--help", "-h", "--config") else words[0]
    if words[0] not in COMMANDS:
        return words[0] if re.fullmatch(r"[a-z]+", words[0]) else None
    command = cli.get_command(click.Context(cli), words[0])
    if isinstance(command, click.Group) and len(words) > 1 and re.fullmatch(r"[a-z]+", words[1]):
        if words[1] not in command.commands:
            return f"{words[0]} {words[1]}"
        command = command.commands[words[1]]
    assert command is not None
    known = {"--help", "-h"}.union(*((*each.opts, *each.secondary_opts) for each in command.params))
    return next((option for option in OPTION.findall(line) if option not in known), None)


CASES = sorted(set(named()))


@pytest.mark.parametrize(("where", "line"), CASES)
def test_a_command_that_is_named_can_be_called(where: str, line: str) -> None:
    assert fault(line) is None


def test_commands_are_found_in_messages_and_documents() -> None:
    assert ("a message", "list") in CASES and ("a message", "doctor --clean") in CASES
    assert {"README.md", "operations.md", "troubleshooting.md"} <= {where for where, _ in CASES}


@pytest.mark.parametrize("line", ["nosuch", "models nosuch", "predict --nosuch", "doctor --bundel x"])
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    assert fault(line)


def test_no_hint_installs_from_a_registry_on_which_the_package_is_not() -> None:
    wanted = re.compile(r"pip install[^\n]*virnucpro-tasks|virnucpro-tasks\[")
    assert not [text for text in texts() if wanted.search(text)]
    assert not [file.name for file in DOCUMENTS if wanted.search(file.read_text(errors="replace"))]
