"""What `train` and `evaluate` share: labelled input, embedded once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.one_shot import run_here
from virnucpro_tasks.cli.options import (
    bundle_option,
    describe_bundle_line,
    engine_options,
    json_option,
    say,
    settings_of,
    stacked,
)
from virnucpro_tasks.cli.worker import require_worker_extra
from virnucpro_tasks.errors import BackendError, ExitCode, JobError
from virnucpro_tasks.heads.labels import Labels
from virnucpro_tasks.heads.splits import split_records
from virnucpro_tasks.jobs.deduplicate import deduplicate
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.sequences import record_ids
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.locate import find_bundle
from virnucpro_tasks.settings import Settings

labelled_options = stacked(
    click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path)),
    click.option(
        "--labels",
        "tables",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Table with the columns id, label (virus or others), and maybe group, taxon, part; may be given again.",
    ),
    bundle_option,
    click.option(
        "--work",
        type=click.Path(path_type=Path),
        default=Path("virnucpro-vectors"),
        show_default=True,
        help="Folder that keeps the vectors, for the next command on the same input.",
    ),
    click.option("-d", "--devices", default="auto", show_default=True, help="auto, cpu, or a list: 0,1 or cpu,cpu."),
    click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Divides groups."),
    click.option("-q", "--quiet", is_flag=True, help="Only errors."),
    engine_options,
    json_option,
)
"""The arguments that name labelled input, say how it is embedded, and where its vectors are kept."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled input as the options name it; nothing is embedded yet. `seed` divides groups."""

    inputs: tuple[Path, ...]
    labels: Labels
    settings: Settings
    bundle: Bundle
    devices: str
    seed: int
    quiet: bool

    @classmethod
    def of(
        cls,
        context: click.Context,
        *,
        inputs: tuple[Path, ...],
        tables: tuple[Path, ...],
        bundle: str | None,
        work: Path,
        devices: str,
        seed: int,
        quiet: bool,
        **flags: Any,
    ) -> Labelled:
        """Read the labels and find the bundle; says which one. `flags` are settings.

        Raises UsageError, BackendError, InputError or BundleError.
        """
        _require_train_extra()
        labels = _read_labels(inputs, tables)
        settings = settings_of(context, **flags, bundle=bundle, store=work)
        found = find_bundle(settings.bundle)
        say(describe_bundle_line(found), quiet=quiet)
        return cls(inputs, labels, settings, found, devices, seed, quiet)

    def say(self, text: str) -> None:
        """A message for a person, unless they are to be quiet."""
        say(text, quiet=self.quiet)

    def check(self) -> None:
        """Read all ids, and divide the records as will be done in the end: what is wrong with labels is said before
        anything is embedded. Raises InputError."""
        labels = self.labels.of_all(record_ids(self.inputs), file=", ".join(map(str, self.inputs)))
        split_records(labels, seed=self.seed)

    def embedded(self, *, scored: bool, chunk_length: int | None = None) -> Job:
        """A finished job over the inputs that kept its vectors: the one of an earlier command, if it is still there.

        Unless it is to be `scored`, the bundle needs no head. Raises JobError if it fails.
        """
        return embedded(
            self.settings,
            self.inputs,
            devices=self.devices,
            quiet=self.quiet,
            scored=scored,
            chunk_length=chunk_length,
        )


def embedded(
    settings: Settings,
    inputs: tuple[Path, ...],
    *,
    devices: str,
    quiet: bool,
    scored: bool,
    chunk_length: int | None = None,
) -> Job:
    """See `Labelled.embedded`."""
    require_worker_extra()
    job = submit(
        settings,
        list(inputs),
        chunk_length=chunk_length,
        min_length=None,
        strict=False,
        keep_embeddings=True,
        priority=0,
        scored=scored,
    )
    found = deduplicate(settings.store, job)
    job = found.job
    if job.paths.run.exists():
        say(f"the vectors of job {job.job_id} are used", quiet=quiet)
    elif found.state is not None:
        say(f"an earlier command was interrupted: job {job.job_id} goes on", quiet=quiet)
    progress = run_here(settings, job, devices=devices, quiet=quiet)
    if progress.exit_code not in (ExitCode.OK, ExitCode.INCOMPLETE):
        raise JobError(progress.message or "it did not end well", job_id=job.job_id)
    return job


def _read_labels(inputs: tuple[Path, ...], tables: tuple[Path, ...]) -> Labels:
    """The labels of tables, or of two files: viruses, then others."""
    if tables:
        return Labels.read(*tables)
    if len(inputs) != 2:
        raise click.UsageError("give two files, viruses and then others, or --labels TABLE")
    return Labels.by_file()


def _require_train_extra() -> None:
    """Raise BackendError unless what fits and measures is installed; imports none of it."""
    missing = [name for name in ("sklearn", "matplotlib") if find_spec(name) is None]
    if missing:
        raise BackendError(
            f"this installation has no {' and '.join(missing)}", hint="pip install 'virnucpro-tasks[train]'"
        )
