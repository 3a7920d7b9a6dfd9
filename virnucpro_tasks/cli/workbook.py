"""`virnucpro workbook`."""

from __future__ import annotations

from pathlib import Path

import click

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import PathType
from virnucpro_tasks.cli.preflight import require_kept, require_new_file
from virnucpro_tasks.cli.write_file import new_file
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
    require_new_file(output, force=force)
    require_inputs(tables)
    require_kept(tables, [output])
    # Imported here: it loads pyarrow.
    from virnucpro_tasks.output.workbook import write_workbook

    with new_file(output, force=force) as temporary:
        write_workbook(tables, temporary)
    say(f"workbook {output}", quiet=quiet)
