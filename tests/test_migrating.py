"""Every row of the tables for those who come from the earlier tools names what is there, and a test of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path

import click
import pytest

from virnucpro_tasks.cli.earlier_options import EARLIER_OPTIONS
from virnucpro_tasks.cli.main import COMMANDS, EARLIER_COMMANDS, cli
from virnucpro_tasks.earlier_keys import EARLIER_KEYS
from virnucpro_tasks.earlier_variables import EARLIER_VARIABLES
from virnucpro_tasks.output.tables import FILES
from virnucpro_tasks.settings import ENVIRONMENT_PREFIX, Settings

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "migrating.md").read_text()
SECTIONS = (
    "Commands and options",
    "Environment variables",
    "YAML keys",
    "Files and layouts",
    "Exit codes",
    "Results and their meaning",
)
VARIABLES = {ENVIRONMENT_PREFIX + setting.name.upper() for setting in fields(Settings)}


@dataclass(frozen=True)
class Row:
    """A row of a table: what was before, what is here, a remark, and its test."""

    section: str
    before: str
    here: str
    remark: str
    test: str


def rows(section: str) -> list[Row]:
    """The rows of the table in a section of the page."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    return [Row(section, *re.split(r" (?<!\\)\| ", line.removeprefix("| ").removesuffix(" |"))) for line in lines]


ROWS = [row for section in SECTIONS for row in rows(section)]


def command_of(words: list[str]) -> click.Command:
    """The command that `words` name, such as ["models", "convert"]."""
    found: click.Command = cli
    for word in words:
        assert isinstance(found, click.Group), words
        below = found.get_command(click.Context(found), word)
        assert below is not None, words
        found = below
    return found


def options_of(command: click.Command) -> set[str]:
    """The spellings of all options of a command."""
    return {flag for param in command.params for flag in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}


def every_option() -> set[str]:
    """The spellings of all options of all commands."""
    found = options_of(cli)
    for name in (*COMMANDS, *EARLIER_COMMANDS):
        command = command_of([name])
        found |= options_of(command)
        if isinstance(command, click.Group):
            found |= {flag for below in command.commands.values() for flag in options_of(below)}
    return found


EVERY_OPTION = every_option()


def is_there(quoted: str) -> bool:
    """Whether what the page puts between backticks exists: a command with its options, a variable, or a file."""
    words = quoted.removeprefix("virnucpro ").split()
    if words[0] in (*COMMANDS, *EARLIER_COMMANDS) and (quoted.startswith("virnucpro ") or len(words) > 1):
        names = [word for word in words if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")]
        wanted = {word.partition("=")[0] for word in words if word.startswith("-")}
        path = names[:2] if names[0] in ("models", "config", "utils") else names[:1]
        return wanted <= options_of(command_of(path)) | options_of(cli)
    if words[0].startswith("-"):
        return words[0].partition("=")[0] in EVERY_OPTION
    if words[0].startswith(ENVIRONMENT_PREFIX):
        return words[0].partition("=")[0] in VARIABLES
    if re.fullmatch(r"[\w.-]+\.(txt|csv|tsv|json|html|log|gz|bed|gff3|bedgraph)", quoted):
        return quoted in FILES
    return True


@pytest.mark.parametrize("section", SECTIONS)
def test_the_page_has_the_table(section: str) -> None:
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    assert "\n| before | here | what it means here, and what is better | test |\n" in text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.section}: {row.before}")
def test_a_row_names_what_is_there_and_its_test(row: Row) -> None:
    for quoted in re.findall(r"`([^`]+)`", row.here):
        assert is_there(quoted), quoted
    for name in re.findall(r"(?<![\w-])--[a-z][a-z-]+", row.remark):
        assert name in EVERY_OPTION, name
    file, _, function = row.test.strip("`").partition("::")
    text = (ROOT / "tests" / file).read_text()
    assert "\ndef test_" in text and f"def {function}" in text, row.test


def test_nothing_is_listed_twice() -> None:
    named = [(row.section, row.before) for row in ROWS]
    assert sorted(set(named)) == sorted(named)


def test_every_option_of_earlier_versions_is_listed() -> None:
    listed = {quoted for row in rows("Commands and options") for quoted in re.findall(r"-[-\w]+", row.before)}
    of_keys = {flag for row in rows("YAML keys") for flag in re.findall(r"--[-\w]+", row.here)}
    flags = {flag for option in EARLIER_OPTIONS for flag in (*option.flags, option.no_flag) if flag}
    assert flags - {"--layout"} <= listed | of_keys


def test_every_variable_of_earlier_versions_is_listed() -> None:
    assert EARLIER_VARIABLES.keys() <= {row.before.strip("`") for row in rows("Environment variables")}


def test_every_key_of_earlier_files_is_listed() -> None:
    listed = [row.before.strip("`") for row in rows("YAML keys")]
    assert [key for key in listed if "." in key or key == "version"] == [key.key for key in EARLIER_KEYS]
    for key, row in zip(EARLIER_KEYS, rows("YAML keys"), strict=False):
        assert (row.here == "none") == (not (key.setting or key.option)), key.key
