"""`virnucpro workbook`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import PathType
from virnucpro_tasks.cli.preflight import check_place, require_kept
from virnucpro_tasks.errors import OutputError
from virnucpro_tasks.jobs.find_inputs import require_inputs
from virnucpro_tasks.system.extras import require_extra


@click.command("workbook")
@click.argument("tables", nargs=-1, required=True, type=PathType(path_type=Path))
@click.option("-o", "--output", type=PathType(path_type=Path), required=True, help="Workbook, such as out.xlsx.")
@click.option("-f", "--force", is_flag=True, help="Replace --output.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def command(*, tables: tuple[Path, ...], output: Path, force: bool, quiet: bool) -> None:
    """Put result TABLES, such as records.tsv, as sheets into an Excel workbook.

    Ids are text there. A spreadsheet that opens the tables themselves computes an id such as =1+1 and makes a date of
    SEP-1.
    """
    require_extra("xlsx")
    if os.path.lexists(output) and (not force or output.is_dir()):
        hint = "choose another name" if output.is_dir() else "choose another name or use --force"
        raise OutputError(f"{output} exists already", hint=hint)
    require_inputs(tables)
    require_kept(tables, [output])
    check_place(output.absolute().parent)
    if not output.absolute().parent.is_dir():
        raise OutputError(f"{output} cannot be written: there is no folder {output.parent}", hint="make it first")
    # Imported here: it loads pyarrow.
    from virnucpro_tasks.output.workbook import write_workbook

    write_workbook(tables, output)
    say(f"workbook {output}", quiet=quiet)
