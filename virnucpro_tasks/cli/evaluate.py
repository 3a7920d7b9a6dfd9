"""`virnucpro evaluate`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.labelled import Labelled, labelled_options
from virnucpro_tasks.cli.messages import print_json
from virnucpro_tasks.cli.options import PathType
from virnucpro_tasks.cli.preflight import check_place
from virnucpro_tasks.errors import InputError, OutputError
from virnucpro_tasks.heads.evaluation import evaluation, read_scored, write_picture, write_table
from virnucpro_tasks.jobs.sequences import input_sequences
from virnucpro_tasks.system.files import atomic_path, write_json
from virnucpro_tasks.system.run_lock import own_folder

REPORT_FILES = ("evaluation.json", "evaluation.tsv", "evaluation.svg")


@click.command("evaluate")
@click.option("-o", "--output", type=PathType(path_type=Path), required=True, help="Folder for the report.")
@click.option("-f", "--force", is_flag=True, help="Replace a report in --output.")
@labelled_options
@click.pass_context
def command(context: click.Context, /, *, output: Path, force: bool, as_json: bool, **arguments: Any) -> None:
    """Measure a bundle on labelled INPUTS: two files, viruses and then others, or any number with --labels.

    Writes evaluation.json, .tsv and .svg. For comparison they hold a baseline too: a classifier of 4-mers, fitted to
    other groups of the records.
    """
    _require_no_report(output, force=force)
    check_place(output)
    labelled = Labelled.of(context, **arguments)
    labelled.check_classes()
    with own_folder(output, say=labelled.say):
        # Another run may have ended just before.
        _require_no_report(output, force=force)
        report = _evaluated(labelled, output)
    if as_json:
        print_json(report)
        return
    click.echo((output / "evaluation.tsv").read_text(), nl=False)


def _require_no_report(output: Path, *, force: bool) -> None:
    """Raise OutputError if the folder holds a report, unless it is to be replaced."""
    found = [name for name in REPORT_FILES if os.path.lexists(output / name)]
    if found and not force:
        raise OutputError(f"{output} already holds {', '.join(found)}", hint="choose another folder or use --force")


def _evaluated(labelled: Labelled, output: Path) -> dict[str, Any]:
    """Embed and measure, and write the three files; returns the report."""
    description = labelled.bundle.description
    job = labelled.embedded(scored=True)
    scored = read_scored(job, labelled.labels)
    if not scored.ids:
        raise InputError("no record is both labelled and scored", file=", ".join(map(str, labelled.inputs)))
    report, baseline = evaluation(scored, input_sequences(job), seed=labelled.seed)
    about = {"bundle": description.name, "label": description.label, "digest": description.digest}
    report = about | {"demonstration": description.demonstration} | report
    with atomic_path(output / "evaluation.tsv") as temporary:
        write_table(temporary, report)
    with atomic_path(output / "evaluation.svg") as temporary:
        write_picture(temporary, scored, baseline, title=description.label)
    write_json(output / "evaluation.json", report)
    return report
