from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from cli.conftest import Virnucpro

from virnucpro_tasks.cli import evaluate, main, results, train
from virnucpro_tasks.cli.interrupted import interruption, saying_how_to_go_on
from virnucpro_tasks.cli.main import HOW_TO_GO_ON
from virnucpro_tasks.errors import ExitCode


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyboardInterrupt(), "interrupted (do it again)"),
        (KeyboardInterrupt("SIGTERM"), "interrupted by SIGTERM (do it again)"),
    ],
)
def test_the_innermost_advice_counts(error: KeyboardInterrupt, message: str) -> None:
    with pytest.raises(KeyboardInterrupt) as raised, saying_how_to_go_on("later"), saying_how_to_go_on("do it again"):
        raise error
    assert interruption(raised.value) == message


def test_without_advice_the_signal_is_named_alone() -> None:
    assert interruption(KeyboardInterrupt("SIGTERM")) == "interrupted by SIGTERM"
    assert interruption(click.exceptions.Abort()) == "interrupted"


@pytest.fixture
def interrupting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each command that asks for its input, settings or job be interrupted there."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train.Labelled, "of", interrupt)
    monkeypatch.setattr(evaluate.Labelled, "of", interrupt)
    monkeypatch.setattr(results, "settings_of", interrupt)
    for command in ("bench", "chaos"):
        monkeypatch.setattr(f"virnucpro_tasks.cli.{command}.require_extra", interrupt)
    monkeypatch.setattr("virnucpro_tasks.models.convert.convert_bundle", interrupt)
    yield


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["train", "a.fa", "b.fa", "-o", "nowhere"], HOW_TO_GO_ON["train"]),
        (["evaluate", "a.fa", "b.fa", "-o", "nowhere"], HOW_TO_GO_ON["evaluate"]),
        (["results", "@last"], HOW_TO_GO_ON["results"]),
        (["bench"], HOW_TO_GO_ON["bench"]),
        (["chaos", __file__], HOW_TO_GO_ON["chaos"]),
        (["models", "convert", "nowhere", "--dnabert", "demo", "--esm2", "demo"], "nothing is left of the new bundle"),
    ],
)
def test_each_command_says_how_to_go_on(
    arguments: list[str], advice: str, interrupting: None, virnucpro: Virnucpro
) -> None:
    ended = virnucpro(*arguments)
    assert ended.code == ExitCode.INTERRUPTED
    assert ended.err[-1].startswith(f"virnucpro: error: interrupted ({advice}")


def test_only_commands_are_advised() -> None:
    assert set(HOW_TO_GO_ON) <= set(main.COMMANDS)
