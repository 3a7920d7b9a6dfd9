"""`virnucpro results`, and copying a finished job's files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.job_argument import job_argument, meant_job
from virnucpro_tasks.cli.job_end import results_report
from virnucpro_tasks.cli.messages import print_json, say
from virnucpro_tasks.cli.options import STANDARD_OUTPUT, PathType, json_option, settings_of, store_option
from virnucpro_tasks.errors import DamagedError, OutputError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.leftovers import left_in, remove_leftover
from virnucpro_tasks.jobs.output_options import is_prefix
from virnucpro_tasks.jobs.progress import read_report
from virnucpro_tasks.jobs.results import result_files
from virnucpro_tasks.jobs.rights import JobRights
from virnucpro_tasks.jobs.sample_sheet import is_sample_name
from virnucpro_tasks.jobs.vectors import vector_files
from virnucpro_tasks.paths import COMMIT_MARK
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import (
    copy_file,
    exists,
    is_same_file,
    is_there,
    link_or_copy,
    make_folder,
    persistently,
    sync,
)
from virnucpro_tasks.system.files import atomic_path, file_matches
from virnucpro_tasks.system.run_lock import make_folder as make_output
from virnucpro_tasks.system.run_lock import own_folder

EMBEDDINGS_FOLDER = "embeddings"
"""Folder of kept vectors among the results of a one-shot run."""


def require_free(output: Path, *, force: bool) -> None:
    """Raise OutputError if `output` is a file or no usable path, or holds results and `force` is not set."""
    try:
        is_file = exists(output) and not persistently(output.is_dir)
        is_taken = not is_file and exists(output / COMMIT_MARK)
    except OSError as error:
        cause = cause_of(error)
        raise OutputError(f"{output}: {cause.words}", hint=cause.advice) from None
    if is_file:
        raise OutputError(f"{output} is not a folder")
    if is_taken and not force:
        raise OutputError(f"{output} already holds results", hint="choose another folder or use --force")


def require_no_file_of_others(output: Path, *, force: bool, samples: Sequence[str] = (), prefix: str = "") -> None:
    """Raise OutputError if the folder `output` has a file with the name of a result, unless it is to be replaced.

    With `samples` those in their folders count, too.
    """
    for name in result_names(samples, prefix=prefix):
        _require_replaceable(output / name, force=force)
    for sample in samples:
        if os.path.lexists(output / sample) and not persistently((output / sample).is_dir):
            raise OutputError(f"{output / sample} exists already, and is no folder", hint="choose another folder")


def _require_replaceable(place: Path, *, force: bool) -> None:
    is_folder = persistently(place.is_dir) and not place.is_symlink()
    if os.path.lexists(place) and (is_folder or not force):
        raise OutputError(
            f"{place} exists already, and is no result of this run",
            hint="choose another folder" if is_folder else "choose another folder, or use --force to replace it",
        )


def copy_results(
    job: Job,
    output: Path,
    *,
    force: bool,
    embeddings: Path | None = None,
    before_replacing: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Copy the result files of a finished job into `output`, run.json last, and its kept vectors into `embeddings`.

    All are copied under temporary names first, so that results which are to be replaced stay whole until then. In the
    end the files are read back and compared with their digests in run.json. `before_replacing` is called when all is
    copied, and may raise. Raises OutputError, and as `result_files` does.
    """
    files = result_files(job)
    require_free(output, force=force)
    with as_output_error(output):
        make_output(output, mode=JobRights.copied_from(job.paths.root).mode)
        older = _older_results(output)
        copies = [Copy(file, output / file.relative_to(job.paths.results)) for file in files]
        folders = {copy.place.parent for copy in copies} | {place.parent for place in older}
        for path in (path for folder in folders for path in left_in(folder)):
            remove_leftover(path)
        if embeddings is not None:
            copies = [*_copies_of_vectors(job, embeddings), *copies]
        try:
            for folder in folders:
                make_folder(folder)
            with _staged(copies, force=force):
                before_replacing()
                (output / COMMIT_MARK).unlink(missing_ok=True)
            for place in older.keys() - {copy.place for copy in copies}:
                # What somebody has put in its place stays.
                if place.is_file() and file_matches(place, older[place]):
                    place.unlink(missing_ok=True)
        finally:
            # Those of samples that have no results here; a folder with files stays.
            for folder in folders - {output}:
                with suppress(OSError):
                    folder.rmdir()
        _require_delivered(output, copies)
    return [copy.place for copy in copies if copy.source in files]


def copy_embeddings(job: Job, output: Path) -> list[Path]:
    """Link or copy the kept vectors of a job into the folder `output`, each file atomically. Raises OutputError."""
    with as_output_error(output):
        copies = _copies_of_vectors(job, output)
        with _staged(copies, force=True):
            pass
    return [copy.place for copy in copies]


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that is delivered to `place`; one of `is_linked` may be a hard link."""

    source: Path
    place: Path
    is_linked: bool = False

    def put(self, place: Path) -> None:
        if self.is_linked:
            link_or_copy(self.source, place)
        else:
            copy_file(self.source, place)

    def is_at(self, place: Path) -> bool:
        """Whether `place` holds the same bytes."""
        return is_there(place) and persistently(place.is_file) and is_same_file(self.source, place)


def _copies_of_vectors(job: Job, output: Path) -> list[Copy]:
    make_folder(output)
    return [Copy(file, output / file.name, is_linked=True) for file in vector_files(job)]


@contextmanager
def _staged(copies: Sequence[Copy], *, force: bool) -> Iterator[None]:
    """Have all `copies` on disk under temporary names; at the end of the block they get their own, in order."""
    own = {copy.place for copy in copies if copy.is_at(copy.place)}
    for copy in copies:
        if copy.place not in own:
            _require_replaceable(copy.place, force=force)
    with ExitStack() as stack:
        # The first to be entered is the last to be left.
        for copy in reversed(copies):
            temporary = stack.enter_context(atomic_path(copy.place, replace=force or copy.place in own))
            persistently(partial(copy.put, temporary))
            sync(temporary)
        yield


def _older_results(output: Path) -> dict[Path, str]:
    """The files of results in `output` that this version writes, and their SHA-256, as run.json there lists them."""
    try:
        report = read_report(output / COMMIT_MARK)
    except (DamagedError, OSError):
        return {}
    prefix = report.parameters.outputs.prefix
    if not is_prefix(prefix):
        return {}
    samples = {Path(name).parent.name for name in report.digests if is_sample_name(Path(name).parent.name)}
    known = {*result_names(prefix=prefix), *result_names(sorted(samples), prefix=prefix)}
    return {output / name: sha256 for name, sha256 in report.digests.items() if name in known}


def result_names(samples: Sequence[str] = (), *, prefix: str = "") -> list[str]:
    """The places of all result files in the output folder, of a job with `samples` those in their folders, too."""
    # Imported here: it loads pyarrow.
    from virnucpro_tasks.output.tables import file_places

    return file_places(prefix=prefix, samples=samples)


def _require_delivered(output: Path, copies: Sequence[Copy]) -> None:
    """Raise OutputError unless all is in `output` as it was written; then it has no mark of completeness."""
    report = read_report(output / COMMIT_MARK)
    wrong = [output / name for name, sha256 in report.digests.items() if not file_matches(output / name, sha256)]
    wrong += [copy.place for copy in copies if copy.place.name not in report.digests and not copy.is_at(copy.place)]
    if wrong:
        (output / COMMIT_MARK).unlink(missing_ok=True)
        raise OutputError(
            f"{wrong[0]} is not as it was written",
            hint="does another program write there? repeat the command: nothing is computed again",
        )


@contextmanager
def as_output_error(output: Path) -> Iterator[None]:
    """Raise OSErrors of the block as OutputError."""
    try:
        yield
    except FileExistsError as error:
        raise OutputError(
            f"{error.filename} appeared while the results were copied, and is not replaced",
            hint="repeat the command: nothing is computed again; or use --force to replace it",
        ) from None
    except OSError as error:
        cause = cause_of(error, output)
        raise OutputError(
            f"the results cannot be copied to {output}: {cause.words}",
            hint=f"{f'{cause.advice}, and ' if cause.advice else ''}repeat the command, or choose another folder; "
            "they stay where they are",
        ) from error


@click.command("results")
@job_argument
@click.option(
    "-o",
    "--output",
    type=PathType(path_type=Path),
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
    job = meant_job(settings_of(context, **flags), job_id)
    if output == STANDARD_OUTPUT:
        result_files(job)
        sys.stdout.buffer.write((job.paths.results / "records.tsv").read_bytes())
        return
    files = result_files(job) if output is None else _copied(job, output, force=force)
    if as_json:
        print_json(_report(job, files))
    else:
        for file in files:
            click.echo(str(file))


def _report(job: Job, files: Sequence[Path]) -> dict[str, Any]:
    """The paths of the result files and their content in numbers, for JSON."""
    report = read_report(job.paths.run)
    return {
        "job_id": job.job_id,
        "output": str(files[-1].parent.absolute()),
        "files": [str(file.absolute()) for file in files],
        "exit_code": int(report.exit_code),
        **results_report(report),
    }


def _copied(job: Job, output: Path, *, force: bool) -> list[Path]:
    require_free(output, force=force)
    with own_folder(output, say=say, mode=JobRights.copied_from(job.paths.root).mode) as lock:
        return copy_results(job, output, force=force, before_replacing=lock.check)
