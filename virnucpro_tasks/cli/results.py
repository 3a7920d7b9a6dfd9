"""`virnucpro results`, and copying a finished job's files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.messages import print_json
from virnucpro_tasks.cli.options import json_option, settings_of, store_option
from virnucpro_tasks.errors import OutputError
from virnucpro_tasks.file_errors import cause_of
from virnucpro_tasks.file_operations import exists, link_or_copy, persistently
from virnucpro_tasks.files import atomic_path
from virnucpro_tasks.jobs.job import Job, open_job
from virnucpro_tasks.jobs.results import result_files
from virnucpro_tasks.jobs.vectors import vector_files
from virnucpro_tasks.paths import COMMIT_MARK


def require_free(output: Path, *, force: bool) -> None:
    """Raise OutputError if `output` is a file, or holds results and `force` is not set."""
    if exists(output) and not persistently(output.is_dir):
        raise OutputError(f"{output} is not a folder")
    if exists(output / COMMIT_MARK) and not force:
        raise OutputError(f"{output} already holds results", hint="choose another folder or use --force")


def copy_results(job: Job, output: Path, *, force: bool) -> list[Path]:
    """Copy the result files of a finished job into `output`, each atomically, run.json last.

    Raises OutputError, and as `result_files` does.
    """
    files = result_files(job)
    require_free(output, force=force)
    with as_output_error(output):
        output.mkdir(parents=True, exist_ok=True)
        (output / COMMIT_MARK).unlink(missing_ok=True)
        return _copies(files, output)


def copy_embeddings(job: Job, output: Path) -> list[Path]:
    """Link or copy the kept vectors of a job into the folder `output`, each file atomically. Raises OutputError."""
    with as_output_error(output):
        output.mkdir(parents=True, exist_ok=True)
        return _copies(vector_files(job), output, put=link_or_copy)


def _copies(
    files: Sequence[Path], output: Path, *, put: Callable[[Path, Path], object] = shutil.copyfile
) -> list[Path]:
    copies = []
    for file in files:
        with atomic_path(output / file.name) as temporary:
            persistently(partial(put, file, temporary))
        copies.append(output / file.name)
    return copies


@contextmanager
def as_output_error(output: Path) -> Iterator[None]:
    """Raise OSErrors of the block as OutputError."""
    try:
        yield
    except OSError as error:
        cause = cause_of(error, output)
        raise OutputError(
            f"the results cannot be copied to {output}: {cause.words}",
            hint=f"{cause.advice or 'make room'}, or choose another folder; they stay where they are",
        ) from error


@click.command("results")
@click.argument("job_id")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the results; '-' prints records.tsv.",
)
@click.option("-f", "--force", is_flag=True, help="Replace result files in --output.")
@store_option
@json_option
@click.pass_context
def command(
    context: click.Context, /, job_id: str, *, output: Path | None, force: bool, as_json: bool, **flags: Any
) -> None:
    """Copy the result files of a finished job to --output, or print their paths."""
    job = open_job(settings_of(context, **flags).store, job_id)
    if output == Path("-"):
        result_files(job)
        sys.stdout.buffer.write((job.paths.results / "records.tsv").read_bytes())
        return
    files = result_files(job) if output is None else copy_results(job, output, force=force)
    if as_json:
        print_json({"job_id": job_id, "files": [str(file) for file in files]})
    else:
        for file in files:
            click.echo(str(file))
