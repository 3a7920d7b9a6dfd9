"""`virnucpro config`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from virnucpro_tasks.cli.messages import print_json, print_text
from virnucpro_tasks.cli.options import (
    WholeHelpGroup,
    bundle_option,
    deployment_options,
    engine_options,
    json_option,
    settings_of,
)
from virnucpro_tasks.settings import ENVIRONMENT_PREFIX, Settings


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
    values = settings_of(context, **flags).masked()
    if as_json:
        print_json(values)
        return
    for setting in fields(Settings):
        value = "" if values[setting.name] is None else values[setting.name]
        click.echo(f"{setting.name} = {value}")
        print_text(f"    {setting.metadata['help']}; {ENVIRONMENT_PREFIX}{setting.name.upper()}")
