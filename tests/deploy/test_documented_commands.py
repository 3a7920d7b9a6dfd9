"""Every command that a document or a deployment file mentions exists, with its flags."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from deploy.commands import DEPLOY, check_command

from virnucpro_tasks.cli.main import COMMANDS

ROOT = DEPLOY.parent
FILES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(DEPLOY.rglob("*")),
]
IN_CONTAINER = re.compile(
    r"(?:run --rm client|--entrypoint virnucpro virnucpro-worker) +(\w.*?)(?: {2,}|$)", re.MULTILINE
)


def commands_of(text: str) -> list[str]:
    """Our commands in `text`: in code spans, there also without the program's name, in shell, and in containers."""
    text = text.replace("\\\n", " ")
    found = [f"virnucpro {command}" for command in IN_CONTAINER.findall(text)]
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        found += [line for line in block.splitlines() if line.startswith("virnucpro ")]
    for span in re.findall(r"`([^`\n]+)`", text):
        if span.startswith(("virnucpro ", "python -m virnucpro_workers")):
            found.append(span)
        elif span.split()[0] in COMMANDS and " -" in span:
            found.append(f"virnucpro {span}")
    return found


MENTIONED = sorted(
    {(file.relative_to(ROOT), command) for file in FILES if file.is_file() for command in commands_of(file.read_text())}
)


@pytest.mark.parametrize(("file", "command"), MENTIONED, ids=lambda value: str(value))
def test_a_mentioned_command_exists(file: Path, command: str) -> None:
    check_command(shlex.split(command, comments=True))


def test_commands_are_found_wherever_they_stand() -> None:
    text = (
        "`virnucpro list`, or `submit --wait`, or `status`\n```sh\nvirnucpro watch JOB\n```\n"
        "# docker compose run --rm client doctor      as said\n"
        "docker run --entrypoint virnucpro virnucpro-worker \\\n    predict a.fa\n"
    )
    words = ("doctor", "predict a.fa", "watch JOB", "list", "submit --wait")
    assert commands_of(text) == [f"virnucpro {word}" for word in words]


def test_a_flag_that_does_not_exist_is_noticed() -> None:
    (command,) = commands_of("use `submit --no-such-flag`")
    with pytest.raises(AssertionError):
        check_command(shlex.split(command, comments=True))
