from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from cli.conftest import Virnucpro

from virnucpro_tasks.cli.main import COMMANDS, cli
from virnucpro_tasks.cli.options import DurationType, NumberRange, settings_of, stacked


def commands() -> dict[str, click.Command]:
    """Every command by its full name, those of groups too."""
    found: dict[str, click.Command] = {}
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= {f"{name} {part}": each for part, each in command.commands.items()}
        else:
            found[name] = command
    return found


@pytest.mark.parametrize("name", commands())
def test_every_option_has_help_of_one_sentence(name: str) -> None:
    for parameter in commands()[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.opts
            assert re.match(r"[A-Z]|auto|cuda|tokenizer\.json", parameter.help), (parameter.opts, parameter.help)
            assert parameter.help.rstrip("]").endswith((".", "60")), (parameter.opts, parameter.help)


@pytest.mark.parametrize("name", ["", *commands(), "models", "config"])
def test_no_help_is_cut_off_nor_wider_than_a_terminal(name: str, virnucpro: Virnucpro) -> None:
    shown = virnucpro(*name.split(), "--help").out
    assert not [line for line in shown if line.endswith(("...", "…")) and "[OPTIONS]" not in line]
    assert max(map(len, shown)) <= 80


def test_one_flag_means_one_thing_in_all_commands() -> None:
    meant: dict[str, set[str]] = {}
    for command in commands().values():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                meant.setdefault(parameter.opts[-1], set()).add(parameter.help or "")
    for flag in ("--store", "--broker-url", "--bundle", "--attention", "--json", "--quiet", "--token-budget"):
        assert len(meant[flag]) == 1, meant[flag]


@pytest.mark.parametrize("name", commands())
def test_a_number_is_refused_that_is_none_or_has_no_end(name: str) -> None:
    for parameter in commands()[name].params:
        for text in ("nan", "inf", "-inf") if isinstance(parameter.type, click.types.FloatParamType) else ():
            with pytest.raises(click.BadParameter, match=r"not in the range|is not a number"):
                parameter.type.convert(text, parameter, None)


def test_options_with_a_number_in_a_range_are_known() -> None:
    found = {
        parameter.opts[-1]
        for command in commands().values()
        for parameter in command.params
        if isinstance(parameter.type, NumberRange)
    }
    shares = {"--min-score", "--min-scored-fraction", "--max-fdr", "--prior", "--prevalence"}
    assert found == shares | {"--every", "--grace-seconds", "--least-cosine", "--most-changed"}
    assert NumberRange(0, 1).convert("0.25", None, None) == 0.25


def test_stacked_options_are_listed_in_order() -> None:
    @click.command()
    @stacked(click.option("--one"), click.option("--two"), click.option("--three"))
    def command(**_: object) -> None: ...

    assert [parameter.name for parameter in command.params] == ["one", "two", "three"]


def test_settings_come_from_the_file_of_the_global_option(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("shard_tokens: 1234\n")
    root = click.Context(cli)
    root.params = {"config": file}
    context = click.Context(click.Command("submit"), parent=root)
    settings = settings_of(context, token_budget=99, cpu_threads=None)
    assert (settings.shard_tokens, settings.token_budget) == (1234, 99)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("0.5", 0.5), ("90s", 90), ("10m", 600), ("1.5h", 5_400), (" 1d ", 86_400)]
)
def test_a_time_is_seconds_or_has_a_unit(text: str, seconds: float) -> None:
    assert DurationType().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0", "-5", "nan", "inf", "1e3", "10 minutes", "m", "9" * 400, "1h30m"])
def test_what_is_no_time_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write seconds, or 90s, 10m, 2h, 1d"):
        DurationType().convert(text, None, None)
