"""The settings file of a command line: its settings, and its tables of options for commands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from virnucpro_tasks.cli.options import SETTINGS_FILE
from virnucpro_tasks.earlier_keys import SECTIONS, nearest
from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.settings import Settings, named_file, settings_file
from virnucpro_tasks.settings_file import SettingsFile

PROGRAM = "virnucpro"
"""The table of the options that stand before the command."""

NOT_IN_FILES = frozenset({"config", "version"})
"""Those that a file cannot give: the name of itself, and one that only prints."""

SETTINGS = frozenset(setting.name for setting in fields(Settings))


def use_file(context: click.Context, named: Path | None) -> None:
    """Read the settings file of a command line, if there is one; its options are the defaults of the command.

    `context` is that of the program, `named` the file that its --config names. Raises SettingsError.
    """
    path = named or named_file(os.environ)
    if path is None:
        return
    file = settings_file(path)
    context.meta[SETTINGS_FILE] = file
    program, command = context.command, context.invoked_subcommand
    assert isinstance(program, click.Group)
    require_commands(file, program)
    _use_program_options(context, file)
    if command in file.options and (found := program.get_command(context, command)) is not None:
        context.default_map = {command: options_of(file, found, (command,))}


def require_file(file: SettingsFile, program: click.Command) -> None:
    """Raise SettingsError unless all tables of a settings file hold options of commands of the program."""
    assert isinstance(program, click.Group)
    require_commands(file, program)
    program_options(file, program)
    for name in file.options:
        if (command := program.get_command(click.Context(program), name)) is not None:
            options_of(file, command, (name,))


def require_commands(file: SettingsFile, program: click.Group) -> None:
    """Raise SettingsError for a table of the file that is named as no command."""
    commands = program.list_commands(click.Context(program))
    for name in file.options:
        if name not in (*commands, PROGRAM):
            raise SettingsError(
                f"{file.where(name)}: there is no setting and no command {name!r:.80}",
                hint=nearest(name, [*SETTINGS, *commands, *SECTIONS]),
            )


def program_options(file: SettingsFile, program: click.Group) -> dict[str, Any]:
    """The options before the command that the file has, by the names of their parameters. Raises SettingsError."""
    if PROGRAM not in file.options:
        return {}
    known = {key: option for key, option in options_by_key(program).items() if key not in NOT_IN_FILES}
    return _given(file, (PROGRAM,), known)


def _use_program_options(context: click.Context, file: SettingsFile) -> None:
    """Have the options before the command that the file has count as given, unless the command line gives them."""
    assert isinstance(context.command, click.Group)
    values = program_options(file, context.command)
    for option in context.command.params:
        if option.name not in values or context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
            continue
        value = option.type.convert(values[option.name], option, context)
        if option.callback is not None:
            option.callback(context, option, value)
        if option.expose_value:
            context.params[option.name] = value


def options_of(file: SettingsFile, command: click.Command, keys: tuple[str, ...]) -> dict[str, Any]:
    """The options in the table of `command`, to which `keys` lead, by the names of its parameters.

    Raises SettingsError for an unknown option, a value that it does not take, or a setting, which has another place.
    """
    if isinstance(command, click.Group):
        table, values = _table(file, keys), {}
        context = click.Context(command)
        for name in table:
            below = command.get_command(context, name)
            if below is None:
                raise _unknown(file, (*keys, name), command.list_commands(context))
            values[name] = options_of(file, below, (*keys, name))
        return values
    return _given(file, keys, options_by_key(command))


def _given(file: SettingsFile, keys: tuple[str, ...], options: Mapping[str, click.Option]) -> dict[str, Any]:
    """The values of `options` in the table to which `keys` lead. Raises SettingsError as `options_of` does."""
    values: dict[str, Any] = {}
    for name, value in _table(file, keys).items():
        option = options.get(name.replace("-", "_"))
        if option is None:
            raise _unknown(file, (*keys, name), list(options))
        if option.name in SETTINGS:
            raise SettingsError(
                f"{file.where(*keys, name)}: {name} is a setting", hint=f"write '{option.name}:' at the top level"
            )
        if option.name in values:
            raise SettingsError(f"{file.where(*keys, name)}: {option.opts[-1]} is given twice", hint="remove one")
        values[str(option.name)] = _checked(file, (*keys, name), option, value)
    return values


def _table(file: SettingsFile, keys: tuple[str, ...]) -> Mapping[str, Any]:
    table: Any = file.options
    for key in keys:
        table = table[key]
    if not isinstance(table, Mapping):
        raise SettingsError(f"{file.where(*keys)}: {table!r:.80} is not a table of options: {'.'.join(keys)}")
    return table


def options_by_key(command: click.Command) -> dict[str, click.Option]:
    """The options of a command by their keys in a settings file: each long name, with _ for -."""
    return {
        flag.removeprefix("--").replace("-", "_"): option
        for option in command.params
        if isinstance(option, click.Option)
        for flag in option.opts
        if flag.startswith("--")
    }


def _checked(file: SettingsFile, keys: tuple[str, ...], option: click.Option, value: Any) -> Any:
    """The value of an option as click takes it from a command line. Raises SettingsError."""
    place, name = file.where(*keys), ".".join(keys)
    if option.is_flag and not isinstance(value, bool):
        raise SettingsError(f"{place}: {value!r:.80} is not true or false: {name}")
    values = value if option.multiple and isinstance(value, list) else [value]
    for each in values:
        is_plain = isinstance(each, str | int | float) and isinstance(each, bool) == bool(option.is_flag)
        if not is_plain or "\0" in str(each):
            wanted = "a list of texts" if option.multiple else "a text or a number"
            hint = "a word such as yes, no, on and off is true or false without quotes" if each in (True, False) else ""
            raise SettingsError(f"{place}: {each!r:.80} is not {wanted}: {name}", hint=hint)
    texts = values if option.is_flag else [str(each) for each in values]
    try:
        for text in texts:
            option.type.convert(text, option, None)
    except click.BadParameter as error:
        raise SettingsError(f"{place}: {' '.join(error.message.split()).removesuffix('.')}: {name}") from None
    return texts if option.multiple else texts[0]


def _unknown(file: SettingsFile, keys: tuple[str, ...], known: list[str]) -> SettingsError:
    return SettingsError(
        f"{file.where(*keys)}: {'.'.join(keys[:-1])} has no option {keys[-1]!r:.80}",
        hint=nearest(keys[-1].replace("-", "_"), known),
    )
