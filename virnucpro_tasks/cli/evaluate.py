"""`virnucpro evaluate`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.labelled import Labelled, labelled_options
from virnucpro_tasks.cli.messages import print_json
from virnucpro_tasks.cli.options import NumberRange, PathType, both_strands_option
from virnucpro_tasks.cli.preflight import check_place
from virnucpro_tasks.cli.write_file import new_file
from virnucpro_tasks.errors import InputError, OutputError
from virnucpro_tasks.heads.baselines import baseline_scores
from virnucpro_tasks.heads.cutoffs import DEFAULT_PREVALENCE
from virnucpro_tasks.heads.evaluation import evaluation
from virnucpro_tasks.heads.evaluation_picture import write_picture
from virnucpro_tasks.heads.evaluation_table import write_table
from virnucpro_tasks.heads.labels import Labels
from virnucpro_tasks.heads.scored_records import ScoredRecords, read_scored
from virnucpro_tasks.heads.strands import strand_differences, write_reverse_complements
from virnucpro_tasks.jobs.sequences import input_sequences
from virnucpro_tasks.system.files import write_json
from virnucpro_tasks.system.run_lock import own_folder
from virnucpro_tasks.system.temporary import TemporaryFolder

REPORT_FILES = ("evaluation.json", "evaluation.tsv", "evaluation.svg")
PREFIX = "virnucpro-evaluate-"
OTHER_STRANDS = "reverse_complements.fasta"
"""Its name is a part of what an earlier job is found by."""


@click.command("evaluate")
@click.option("-o", "--output", type=PathType(path_type=Path), required=True, help="Folder for the report.")
@click.option("-f", "--force", is_flag=True, help="Replace a report in --output.")
@click.option(
    "--prevalence",
    type=NumberRange(0, 1, min_open=True, max_open=True),
    default=DEFAULT_PREVALENCE,
    show_default=True,
    help="Share of viruses for which rates of false discoveries are said.",
)
@click.option(
    "--reverse-complement",
    "compares_strands",
    is_flag=True,
    help="Also classify the reverse complement of each labelled record, and say how scores and calls differ.",
)
@both_strands_option
@labelled_options
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    output: Path,
    force: bool,
    prevalence: float,
    compares_strands: bool,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Measure a bundle on labelled INPUTS: two files, viruses and then others, or any number with --labels.

    Writes evaluation.json, .tsv and .svg. Records without a score count as called other. For comparison there are
    baselines: classifiers of 4-mers and of 6-mers, fitted to other groups of the records, and the longest open reading
    frame.
    """
    _require_no_report(output, force=force)
    check_place(output)
    labelled = Labelled.of(context, **arguments)
    labelled.check_classes()
    with own_folder(output, say=labelled.say):
        # Another run may have ended just before.
        _require_no_report(output, force=force)
        report = _evaluated(labelled, output, prevalence=prevalence, compares_strands=compares_strands, force=force)
    for warning in report["warnings"]:
        labelled.say(f"warning: {warning}")
    if as_json:
        print_json(report)
        return
    click.echo((output / "evaluation.tsv").read_text(), nl=False)


def _require_no_report(output: Path, *, force: bool) -> None:
    """Raise OutputError if the folder holds a report, unless it is to be replaced."""
    found = [name for name in REPORT_FILES if os.path.lexists(output / name)]
    if found and not force:
        raise OutputError(f"{output} already holds {', '.join(found)}", hint="choose another folder or use --force")
    for name in found:
        if (output / name).is_dir() and not (output / name).is_symlink():
            raise OutputError(f"{output / name} is a folder", hint="choose another folder")


def _evaluated(
    labelled: Labelled, output: Path, *, prevalence: float, compares_strands: bool, force: bool
) -> dict[str, Any]:
    """Embed and measure, and write the three files; returns the report."""
    description = labelled.bundle.description
    job = labelled.embedded(scored=True)
    found = read_scored(job, labelled.labels)
    if not found.is_scored.any():
        raise InputError("no record is both labelled and scored", file=", ".join(map(str, labelled.inputs)))
    everything = input_sequences(job)
    sequences = [everything[place] for place in found.places]
    strands = _strands(labelled, found, sequences, otherwise=output) if compares_strands else None
    baselines = baseline_scores(found, sequences, seed=labelled.seed)
    about: dict[str, Any] = {"bundle": description.name, "label": description.label, "digest": description.digest}
    report = about | {"demonstration": description.demonstration}
    report |= {"both_strands": True} if labelled.both_strands else {}
    report |= evaluation(found, baselines, prevalence=prevalence, seed=labelled.seed)
    if strands is not None:
        report["reverse_complement"] = strands
    with new_file(output / "evaluation.tsv", force=force) as temporary:
        write_table(temporary, report)
    with new_file(output / "evaluation.svg", force=force) as temporary:
        write_picture(temporary, found, baselines, title=description.label)
    with new_file(output / "evaluation.json", force=force) as temporary:
        write_json(temporary, report)
    return report


def _strands(
    labelled: Labelled, found: ScoredRecords, sequences: Sequence[bytes], *, otherwise: Path
) -> dict[str, Any]:
    """Classify the reverse complements of the records that could be read, and compare their scores."""
    read = [record for record, sequence in enumerate(sequences) if sequence]
    with TemporaryFolder(PREFIX, otherwise=otherwise) as folder:
        path = folder / OTHER_STRANDS
        write_reverse_complements(path, [found.ids[record] for record in read], [sequences[record] for record in read])
        job = replace(labelled, inputs=(path,)).embedded(scored=True)
    return strand_differences(found.scores[read], read_scored(job, Labels.by_file()).scores)
