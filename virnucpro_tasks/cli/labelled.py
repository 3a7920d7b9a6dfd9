"""Labelled input of `train` and `evaluate`: their common arguments, and its vectors, which are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.messages import bundle_line, hashing_note, say
from virnucpro_tasks.cli.one_shot import embed_here
from virnucpro_tasks.cli.options import (
    PathType,
    bundle_option,
    coverage_option,
    devices_option,
    engine_options,
    json_option,
    settings_of,
    stacked,
)
from virnucpro_tasks.cli.preflight import check_engine, check_inputs, check_place, default_precision
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.labels import Labels
from virnucpro_tasks.heads.splits import split_records
from virnucpro_tasks.jobs.find_inputs import repeated_inputs
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.sequences import record_ids
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.locate import find_bundle, locate_bundle
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.cores import limit_cores
from virnucpro_tasks.system.extras import require_extra

labelled_options = stacked(
    click.argument("inputs", nargs=-1, required=True, type=PathType(path_type=Path)),
    click.option(
        "--labels",
        "tables",
        multiple=True,
        type=PathType(path_type=Path),
        help="Table with the columns id, label (virus or others), and maybe group, taxon, part; may be given again.",
    ),
    bundle_option,
    coverage_option,
    click.option(
        "--work",
        type=PathType(path_type=Path),
        default=Path("virnucpro-vectors"),
        show_default=True,
        help="Folder that keeps the vectors for the next command on the same input.",
    ),
    devices_option,
    click.option(
        "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of the random division."
    ),
    click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
    engine_options,
    json_option,
)
"""Arguments: the labelled input, how it is embedded, and where its vectors are kept."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled input as the arguments name it, not embedded yet. `seed` divides the groups of records.

    With `both_strands` scores of records are of the chunks of both strands.
    """

    inputs: tuple[Path, ...]
    labels: Labels
    settings: Settings
    bundle: Bundle
    coverage: Coverage
    devices: str
    seed: int
    quiet: bool
    both_strands: bool = False

    @classmethod
    def of(
        cls,
        context: click.Context,
        *,
        inputs: tuple[Path, ...],
        tables: tuple[Path, ...],
        bundle: str | None,
        coverage: Coverage,
        work: Path,
        devices: str,
        seed: int,
        quiet: bool,
        both_strands: bool = False,
        **flags: Any,
    ) -> Labelled:
        """Read the labels, and find the bundle and print its name. `flags` are settings.

        Raises UsageError, BackendError, InputError or BundleError.
        """
        settings = settings_of(context, **flags, bundle=bundle, store=work)
        limit_cores(settings.threads)
        require_extra("train")
        labels = _read_labels(inputs, tables)
        precision = settings.precision or locate_bundle(settings.bundle).description.precision
        if not tables:
            _require_two_files(inputs)
        check_inputs(inputs, strict=False, allow_empty=False, quiet=quiet)
        slots = check_engine(settings, devices=devices, precision=precision)
        settings = replace(settings, precision=settings.precision or default_precision(precision, slots))
        check_place(work)
        found = find_bundle(settings.bundle, announce=hashing_note(quiet=quiet))
        say(bundle_line(found), quiet=quiet)
        return cls(inputs, labels, settings, found, coverage, devices, seed, quiet, both_strands)

    def say(self, text: str) -> None:
        """Print a message for a person, unless the command is to be quiet."""
        say(text, quiet=self.quiet)

    def check(self) -> None:
        """Raise InputError for wrong labels before anything is embedded: read all ids, and divide the records."""
        labels = self.labels.of_all(record_ids(self.inputs), file=", ".join(map(str, self.inputs)))
        split_records(labels, seed=self.seed)

    def check_classes(self) -> None:
        """Raise InputError unless both classes are among the labelled records: read all ids."""
        labels = (self.labels.of(*record) for record in record_ids(self.inputs))
        classes = {label.virus for label in labels if label is not None}
        if len(classes) < 2:
            only = {(): "no record has a label", (True,): "all labelled records are viruses"}
            raise InputError(
                only.get(tuple(classes), "no labelled record is a virus"),
                file=", ".join(map(str, self.inputs)),
                hint="both classes are needed, viruses and others",
            )

    def embedded(self, *, scored: bool, chunk_length: int | None = None) -> Job:
        """See `embed_here`."""
        return embed_here(
            self.settings,
            self.inputs,
            devices=self.devices,
            quiet=self.quiet,
            scored=scored,
            chunk_length=chunk_length,
            coverage=self.coverage,
            both_strands=self.both_strands,
        )


def _read_labels(inputs: tuple[Path, ...], tables: tuple[Path, ...]) -> Labels:
    """The labels in the tables, or those of two files: viruses, then others."""
    if tables:
        return Labels.read(*tables)
    if len(inputs) != 2:
        raise click.UsageError("give two files, viruses and then others, or --labels TABLE")
    return Labels.by_file()


def _require_two_files(inputs: tuple[Path, ...]) -> None:
    """Raise InputError if viruses and others are in the same file."""
    if repeated_inputs(inputs):
        raise InputError(
            "is given for viruses and for others", file=str(inputs[1]), hint="give two files, or --labels TABLE"
        )
