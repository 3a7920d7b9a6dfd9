"""Takes over the work of an earlier tool for a command, and says how much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import PathType
from virnucpro_tasks.jobs.imported import ImportCheck
from virnucpro_tasks.jobs.job import Importer, Job, JobParameters
from virnucpro_tasks.models.bundle import Bundle

F = TypeVar("F", bound=Callable[..., Any])


def import_options(function: F) -> F:
    """The options on work of an earlier tool: its folder, `old_folder`, and how much of it is compared."""
    check = click.option(
        "--import-check",
        type=click.Choice([check.value for check in ImportCheck]),
        default=ImportCheck.PROVED.value,
        show_default=True,
        help="Imported vectors to compute anew and compare: a sample of those whose sequences are in the folder, and "
        "all others (proved); a sample of all (sample); or all, to examine the folder.",
    )
    folder = click.option(
        "--import",
        "--import-from",
        "old_folder",
        type=PathType(path_type=Path),
        help="Folder of the original tool or the package: vectors there that can be proved are not computed again.",
    )
    return folder(check(function))


def importing_from(folder: Path | None, check: str) -> Callable[[JobParameters, Bundle], Importer] | None:
    """Prepare `submit` to take vectors over from `folder`, as many compared as `check` says. Raises InputError."""
    if folder is None:
        return None
    # Imported here: it loads pyarrow.
    from virnucpro_tasks.earlier.importing import importing

    return importing(folder, ImportCheck(check))


def earlier_work(output: Path, inputs: Sequence[Path]) -> Path | None:
    """The folder in which an earlier tool has worked on `inputs`: `output`, or the one beside the first of them."""
    from virnucpro_tasks.earlier.layout import is_earlier_work, original_folder

    if is_earlier_work(output):
        return output
    return original_folder(inputs[0]) if inputs else None


def tell_imported(job: Job, *, quiet: bool = False) -> None:
    """Print what the job has taken over, and what not and why."""
    if job.spec.imported is not None:
        for line in job.spec.imported.lines():
            say(line, quiet=quiet)
