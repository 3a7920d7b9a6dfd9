"""`virnucpro evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.atomic import atomic_path, write_json
from virnucpro_tasks.cli.labelled import embedded, labelled_options, read_labels, require_train_extra
from virnucpro_tasks.cli.options import describe_bundle_line, engine_options, json_option, print_json, say, settings_of
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.fitting.evaluation import evaluation, read_scored, write_picture, write_table
from virnucpro_tasks.models.locate import find_bundle
from virnucpro_tasks.sequences import input_sequences


@click.command("evaluate")
@labelled_options
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the report.")
@engine_options
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    inputs: tuple[Path, ...],
    *,
    labels: Path | None,
    bundle: str | None,
    work: Path,
    devices: str,
    seed: int,
    quiet: bool,
    output: Path,
    as_json: bool,
    **flags: Any,
) -> None:
    """Measure a bundle on labelled INPUTS: two files, viruses and then others, or any with --labels.

    Writes evaluation.json, .tsv and .svg, with a baseline beside it: 4-mers, fitted on other groups of the records.
    """
    require_train_extra()
    known = read_labels(inputs, labels)
    settings = settings_of(context, **flags, bundle=bundle, store=work)
    description = find_bundle(settings.bundle)
    say(describe_bundle_line(description), quiet=quiet)
    job = embedded(settings, inputs, devices=devices, quiet=quiet)
    found = read_scored(job, known)
    if not found.ids:
        raise InputError("no record is both labelled and scored", file=", ".join(map(str, inputs)))
    report, baseline = evaluation(found, input_sequences(job), seed=seed)
    report = {"bundle": description.description.name, "digest": description.digest} | report
    output.mkdir(parents=True, exist_ok=True)
    with atomic_path(output / "evaluation.tsv") as temporary:
        write_table(temporary, report)
    with atomic_path(output / "evaluation.svg") as temporary:
        write_picture(temporary, found, baseline, title=description.description.label)
    write_json(output / "evaluation.json", report)
    if as_json:
        print_json(report)
        return
    click.echo((output / "evaluation.tsv").read_text(), nl=False)
