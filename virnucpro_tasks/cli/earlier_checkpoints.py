"""`virnucpro utils validate-checkpoints`: whether the .pt files of an earlier version are whole."""

from __future__ import annotations

from pathlib import Path

import click

from virnucpro_tasks.cli.messages import print_text
from virnucpro_tasks.cli.options import PathType
from virnucpro_tasks.earlier.checkpoints import checkpoint_problem
from virnucpro_tasks.errors import counted, printable

LINES_OF_FAILURES = 5
FAILURES_FILE = "failed_checkpoints.txt"

WHOLE, NONE, BAD = 0, 1, 3
"""The exit codes, as before."""


@click.command("validate-checkpoints")
@click.argument("folder", type=PathType(path_type=Path, exists=True, file_okay=False))
@click.option("--skip-load", is_flag=True, help="Look at the form of the files only, not at what is in them.")
def command(*, folder: Path, skip_load: bool) -> int:
    """Check each .pt file in FOLDER that an earlier version has written; nothing in them is run.

    Exits with 0 if all are whole, 3 if one is not, 1 if there is none.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix == ".pt")
    if not files:
        click.echo(f"no .pt file in {printable(str(folder))}")
        return NONE
    bad = 0
    for file in files:
        found = checkpoint_problem(file, loads=not skip_load)
        bad += bool(found)
        print_text(f"{printable(file.name)}: {printable(found) if found else 'whole'}")
    click.echo(f"{len(files) - bad:,} of {counted(len(files), 'file')} whole")
    for line in _last_failures(folder):
        print_text(f"{FAILURES_FILE}: {line}")
    return BAD if bad else WHOLE


def _last_failures(folder: Path) -> list[str]:
    try:
        text = (folder / FAILURES_FILE).read_text(errors="replace")
    except OSError:
        return []
    return [printable(line) for line in text.splitlines()[-LINES_OF_FAILURES:]]
