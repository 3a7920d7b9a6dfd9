"""`virnucpro import`: `virnucpro submit` with the folder of an earlier tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli import submit
from virnucpro_tasks.cli.options import PathType


@click.command("import")
@click.argument("folder", type=PathType(path_type=Path))
@click.pass_context
def command(context: click.Context, /, folder: Path, **options: Any) -> int:
    """Submit INPUTS as one job that takes over the work of an earlier tool in FOLDER; prints its id.

    The vectors there that can be proved to be of these inputs are not computed again; all else is. 'predict --import
    FOLDER' does the same without a deployment.
    """
    return context.invoke(submit.command, old_folder=folder, **options)


command.params += [option for option in submit.command.params if option.name != "old_folder"]
