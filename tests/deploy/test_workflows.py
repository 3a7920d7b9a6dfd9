"""The snippets for workflow engines: what they call exists, and what they take are files that a run makes."""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from deploy.commands import check_command

from virnucpro_tasks.output.tables import FILES
from virnucpro_tasks.paths import COMMIT_MARK

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "workflows.md").read_text()
SNIPPETS = dict(re.findall(r"^```(groovy|xml|wdl)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
PLACEHOLDER = re.compile(r"\\?\$\{.*?\}|~\{.*?\}|'\$[\w.]+'")


@pytest.mark.parametrize("language", SNIPPETS)
def test_the_command_exists_with_its_options(language: str) -> None:
    text = re.sub(r"\\+\n", " ", SNIPPETS[language])
    text = re.sub(r"(--output out)\n", r"\1 ", text)
    (command,) = re.findall(r"^ *(virnucpro predict .*)$", text, re.MULTILINE)
    check_command(shlex.split(PLACEHOLDER.sub("1", command)))
    for option in ("--threads", "--devices", "--allow-empty", "--incomplete-ok"):
        assert option in command


@pytest.mark.parametrize("language", SNIPPETS)
def test_the_files_that_are_taken_are_those_that_a_run_makes(language: str) -> None:
    taken = set(re.findall(r"[\"/](\w+\.(?:tsv|json))\"", SNIPPETS[language]))
    assert taken == {"records.tsv", "chunks.tsv", COMMIT_MARK} and taken - {COMMIT_MARK} <= set(FILES)


def test_the_wrapper_of_galaxy_is_well_formed() -> None:
    tool = ElementTree.fromstring(SNIPPETS["xml"])
    assert tool.tag == "tool" and tool.find("command") is not None


def test_there_are_three() -> None:
    assert set(SNIPPETS) == {"groovy", "xml", "wdl"}
