"""A settings file can say everything that a flag can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from cli.conftest import Ended, Virnucpro
from job import SAMPLE

from virnucpro_tasks.cli.config_file import NOT_IN_FILES, PROGRAM, SETTINGS, options_by_key, use_file
from virnucpro_tasks.cli.main import COMMANDS, cli
from virnucpro_tasks.errors import ExitCode

VALUES = {
    "input": ["a.fasta", "b.fasta"],
    "samples": "sheet.tsv",
    "expected_length": 300,
    "min_length": 70,
    "coverage": "segments",
    "prefix": "S1_",
    "preset": "conservative",
    "min_score": 0.75,
    "min_virus_length": 100,
    "min_scored_fraction": 0.5,
    "max_fdr": 0.1,
    "prior": 0.01,
    "output": "out",
    "device": "cpu",
    "priority": 3,
    "timeout": "90s",
    "name": "my-job",
    "model_path": str(SAMPLE),
    "classifier_300": str(SAMPLE),
    "classifier_500": str(SAMPLE),
    "import": str(SAMPLE.parent),
    "gpus": "2,3",
    "merge_threads": 2,
    "batch_size": 5,
    "num_workers": 5,
    "dnabert_batch_size": 5,
    "esm_batch_size": 5,
    "dataloader_workers": 5,
    "cache_clear_interval": 5,
}
"""Values that are not the default, of the options of `predict` and `submit` that are no flags."""


def command_of(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def parameters(name: str, arguments: list[str], *, file: Path | None = None) -> dict[str, Any]:
    """The parameters that a command gets from its command line, and from a settings file."""
    program = click.Context(cli, info_name="virnucpro")
    program.invoked_subcommand = name
    use_file(program, file)
    return command_of(name).make_context(name, arguments, parent=program).params


@pytest.mark.parametrize("name", ["predict", "submit"])
def test_a_file_says_what_flags_say(name: str, tmp_path: Path) -> None:
    options = {key: option for key, option in options_by_key(command_of(name)).items() if option.name not in SETTINGS}
    table, flags = {}, []
    for option in {option.name: option for option in options.values()}.values():
        key = next(key for key, each in options.items() if each is option)
        if option.is_flag:
            table[key] = True
            flags.append(f"--{key.replace('_', '-')}")
        elif key in VALUES:
            value = table[key] = VALUES[key]
            for each in value if isinstance(value, list) else [value]:
                flags += [f"--{key.replace('_', '-')}", str(each)]
        else:
            choices = getattr(option.type, "choices", ())
            table[key] = choices[-1] if choices else pytest.fail(f"give a value of --{key} in VALUES")
            flags += [f"--{key.replace('_', '-')}", str(table[key])]
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump({name: table}))
    by_flags, by_file, nothing = parameters(name, flags), parameters(name, [], file=file), parameters(name, ["-o", "x"])
    assert by_file == by_flags
    kept = [option for option in options.values() if option.expose_value]
    assert all(by_file[str(option.name)] != nothing[str(option.name)] for option in kept)


def test_every_other_option_is_a_setting_or_has_a_key() -> None:
    for name in COMMANDS:
        command = command_of(name)
        for each in command.commands.values() if isinstance(command, click.Group) else [command]:
            reached = {option.name for option in options_by_key(each).values()}
            assert {param.name for param in each.params if isinstance(param, click.Option)} <= reached, name


def before_the_command(file: Path, virnucpro: Virnucpro, *flags: object, **table: object) -> Ended:
    """`predict` of no file, with options before the command in a settings file, and others as flags."""
    file.write_text(yaml.safe_dump({PROGRAM: table}))
    return virnucpro("--config", file, *flags, "predict", "none.fasta", "--pin-memory")


def test_options_before_the_command_stand_in_a_table_of_the_program(
    virnucpro: Virnucpro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRNUCPRO_DISABLE_PACKING", "1")
    log, other, file = tmp_path / "run.log", tmp_path / "other.log", tmp_path / "settings.yaml"
    plain = before_the_command(file, virnucpro)
    assert plain.code == ExitCode.BAD_INPUT and len(plain.err) == 3
    told = before_the_command(file, virnucpro, quiet=True, log_file=str(log), exit_codes="old")
    assert (told.code, told.err) == (1, plain.err[-1:])
    assert "DISABLE_PACKING" in log.read_text() and "none.fasta" in log.read_text()
    # A flag counts more.
    flags = ("--exit-codes", "own", "--log-file", other)
    assert before_the_command(file, virnucpro, *flags, log_file=str(log), exit_codes="old").code == plain.code
    assert other.read_text().count("none.fasta") == log.read_text().count("none.fasta") == 1
    found = parameters("predict", ["x"], file=file)
    assert found["inputs"] == (Path("x"),)


def test_every_option_before_the_command_has_a_key(virnucpro: Virnucpro, tmp_path: Path) -> None:
    keys = options_by_key(cli).keys() - NOT_IN_FILES
    assert {option.name for option in cli.params} == {options_by_key(cli)[key].name for key in keys | NOT_IN_FILES}
    program = click.Context(cli, info_name="virnucpro")
    program.invoked_subcommand = "predict"
    program.params = {"verbose": False}
    file = tmp_path / "settings.yaml"
    file.write_text(f"{PROGRAM}: {{verbose: true}}\n")
    use_file(program, file)
    assert program.params == {"verbose": True}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"exit_codes": "odd"}, "line 2: 'odd' is not one of 'own', 'old': virnucpro.exit_codes"),
        ({"quiett": True}, "virnucpro has no option 'quiett' (did you mean quiet?)"),
        ({"config": "x"}, "virnucpro has no option 'config'"),
        ({"verbose": "yes"}, "'yes' is not true or false: virnucpro.verbose"),
        ({"log_file": ["a"]}, "is not a text or a number: virnucpro.log_file"),
    ],
)
def test_what_is_no_option_before_the_command_is_refused(
    table: dict[str, Any], message: str, virnucpro: Virnucpro, tmp_path: Path
) -> None:
    file = tmp_path / "settings.yaml"
    assert message in before_the_command(file, virnucpro, **table).err[-1]
    assert message in virnucpro("--config", file, "config", "show").err[-1]


def test_a_flag_counts_more_than_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("predict:\n  min-length: 70\n  output_dir: there\n  prior: 0.5\nsubmit:\n  min_length: 80\n")
    found = parameters("predict", ["-o", "here", "--min-length", "90"], file=file)
    assert (found["output"], found["min_length"], found["prior"]) == (Path("here"), 90, 0.5)
    assert parameters("submit", [], file=file)["min_length"] == 80
    assert parameters("extract", ["r", "-o", "x"], file=file)["min_virus_length"] is None


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_command_takes_its_options_from_the_file(
    by_variable: bool, virnucpro: Virnucpro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.yaml"
    table = {"input": [str(SAMPLE)], "output": str(tmp_path / "out"), "dry_run": True, "expected_length": 500}
    file.write_text(yaml.safe_dump({"predict": table, "version": "2.0.0"}))
    if by_variable:
        monkeypatch.setenv("VIRNUCPRO_CONFIG", str(file))
    ended = virnucpro(*([] if by_variable else ["--config", file]), "predict")
    assert ended.code == ExitCode.OK, ended.err
    assert ended.out and not (tmp_path / "out").exists()
    warning = [line for line in ended.err if "version has no effect any more" in line]
    assert len(warning) == 1
    assert virnucpro(*([] if by_variable else ["--config", file]), "predict", "--quiet").err == []
