"""`virnucpro config`."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.config_file import require_file
from virnucpro_tasks.cli.messages import print_json, print_text, say
from virnucpro_tasks.cli.options import (
    SETTINGS_FILE,
    PathType,
    WholeHelpGroup,
    bundle_option,
    deployment_options,
    engine_options,
    json_option,
    settings_of,
)
from virnucpro_tasks.cli.preflight import require_kept, require_new_file
from virnucpro_tasks.cli.write_file import write_new_file
from virnucpro_tasks.settings import ENVIRONMENT_PREFIX, Settings, load_settings, named_file, settings_file


@click.group("config", cls=WholeHelpGroup)
def command() -> None:
    """The settings: flags override VIRNUCPRO_* variables, and these override the settings file."""


@command.command("show")
@deployment_options
@bundle_option
@engine_options
@json_option
@click.pass_context
def show(context: click.Context, /, *, as_json: bool, **flags: Any) -> None:
    """Print the effective settings; passwords are hidden."""
    if (path := context.find_root().params.get("config") or named_file(os.environ)) is not None:
        # Read once: it may be a pipe.
        context.meta[SETTINGS_FILE] = file = settings_file(path)
        require_file(file, context.find_root().command)
    values = settings_of(context, **flags).masked()
    if as_json:
        print_json(values)
        return
    for setting in fields(Settings):
        value = "" if values[setting.name] is None else values[setting.name]
        click.echo(f"{setting.name} = {value}")
        print_text(f"    {setting.metadata['help']}; {ENVIRONMENT_PREFIX}{setting.name.upper()}")


@command.command("convert")
@click.argument("source", metavar="FILE", type=PathType(path_type=Path, exists=True, dir_okay=False))
@click.option("-o", "--output", type=PathType(path_type=Path), help="File to write; default: standard output.")
@click.option("-f", "--force", is_flag=True, help="Replace --output.")
@click.pass_context
def convert(context: click.Context, /, source: Path, *, output: Path | None, force: bool) -> None:
    """Write the settings FILE of an earlier version anew, with a comment on each key that has no effect any more."""
    if output is not None:
        require_new_file(output, force=force)
        require_kept([source], [output])
    file = settings_file(source)
    require_file(file, context.find_root().command)
    # For the errors of values that a setting does not take.
    load_settings(file=file, environment={})
    # Imported here: the other commands write no YAML.
    from virnucpro_tasks.settings_text import settings_text

    text = settings_text(file)
    if output is None:
        click.echo(text, nl=False)
        return
    write_new_file(output, text.encode(), force=force)
    say(f"settings file {output}")
