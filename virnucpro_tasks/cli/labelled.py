"""What `train` and `evaluate` share: labelled input, embedded once and kept."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import click

from virnucpro_tasks.cli.one_shot import run_here
from virnucpro_tasks.cli.options import say
from virnucpro_tasks.cli.worker import require_worker_extra
from virnucpro_tasks.errors import BackendError, ExitCode, JobError
from virnucpro_tasks.fitting.labels import Labels
from virnucpro_tasks.jobs import Job
from virnucpro_tasks.same_work import find_same_work
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.submitting import submit

F = TypeVar("F", bound=Callable[..., object])


def labelled_options(function: F) -> F:
    """The arguments that name labelled input, and where its vectors are kept."""
    for option in reversed(
        (
            click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path)),
            click.option(
                "--labels",
                type=click.Path(path_type=Path),
                help="Table with the columns id, label (virus or others), and maybe group and taxon.",
            ),
            click.option("--bundle", metavar="FOLDER", help="Model bundle, or 'demo'."),
            click.option(
                "--work",
                type=click.Path(path_type=Path),
                default=Path("virnucpro-vectors"),
                show_default=True,
                help="Folder that keeps the vectors, for the next command on the same input.",
            ),
            click.option("-d", "--devices", default="auto", show_default=True, help="auto, cpu, or a list."),
            click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Divides groups."),
            click.option("-q", "--quiet", is_flag=True, help="Only errors."),
        )
    ):
        function = option(function)
    return function


def read_labels(inputs: tuple[Path, ...], table: Path | None) -> Labels:
    """The labels of a table, or of two files: viruses, then others."""
    if table is not None:
        return Labels.read(table)
    if len(inputs) != 2:
        raise click.UsageError("give two files, viruses and then others, or --labels TABLE")
    return Labels.by_file()


def embedded(settings: Settings, inputs: tuple[Path, ...], *, devices: str, quiet: bool) -> Job:
    """A finished job over `inputs` that kept its vectors: the one of an earlier command, if it is still there.

    Raises JobError if it fails.
    """
    require_worker_extra()
    job = submit(
        settings,
        list(inputs),
        chunk_length=None,
        min_length=None,
        strict=False,
        keep_embeddings=True,
        priority=0,
    )
    job = find_same_work(settings.store, job).job
    if job.paths.run.exists():
        say(f"the vectors of job {job.job_id} are used", quiet=quiet)
    progress = run_here(settings, job, devices=devices, quiet=quiet)
    if progress.exit_code not in (ExitCode.OK, ExitCode.INCOMPLETE):
        raise JobError(progress.message or "it did not end well", job_id=job.job_id)
    return job


def require_train_extra() -> None:
    """Raise BackendError unless what fits and measures is installed; imports none of it."""
    missing = [name for name in ("sklearn", "matplotlib") if find_spec(name) is None]
    if missing:
        raise BackendError(
            f"this installation has no {' and '.join(missing)}", hint="pip install 'virnucpro-tasks[train]'"
        )
