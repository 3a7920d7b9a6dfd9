"""Every message in docs/troubleshooting.md is one that the code can print."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from deploy.messages import texts

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "troubleshooting.md").read_text()
OURS = PAGE.split("## Messages of commands")[1].split("## From Redis and Celery")[0]


def messages() -> list[str]:
    """What stands in code in the first column of the tables of our own messages."""
    rows = re.findall(r"^\| (.+?) \| ", OURS, re.MULTILINE)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row)]


@cache
def texts_printed() -> set[str]:
    """The texts of the code; read by a test, because every process of a run collects this file."""
    return {re.sub(r"%\w|\{\w+\}", "…", text) for text in texts()}


def is_printed(message: str) -> bool:
    return any(message in text for text in texts_printed())


def test_messages_are_found() -> None:
    assert "no model bundle is set" in messages() and len(messages()) > 30


@pytest.mark.parametrize("message", messages())
def test_the_code_prints_it(message: str) -> None:
    assert is_printed(message)


def test_a_message_that_nobody_prints_is_noticed() -> None:
    assert not is_printed("no such message is printed")


@pytest.mark.parametrize(
    "message", re.findall("`(no (?:worker|coordinator) [^`]+)`", PAGE.split("## Messages of commands")[0])
)
def test_the_lines_on_missing_workers_are_printed(message: str) -> None:
    assert is_printed(message)
