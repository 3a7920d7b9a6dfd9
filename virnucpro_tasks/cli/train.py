"""`virnucpro train`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.labelled import Labelled, labelled_options
from virnucpro_tasks.cli.messages import print_json
from virnucpro_tasks.cli.options import PathType
from virnucpro_tasks.cli.preflight import check_place
from virnucpro_tasks.errors import OutputError, counted, printable
from virnucpro_tasks.heads.bundles import HeadRequest, fit_bundle
from virnucpro_tasks.heads.examples import read_examples
from virnucpro_tasks.heads.labels import TEST, VALIDATION
from virnucpro_tasks.heads.train import HeadKind
from virnucpro_tasks.reads.coverage import Coverage

LONGEST_SHORT = 1_000_000
"""Most bases that --nucleotides-below takes."""

HIDDEN = 512
"""Hidden units of the published classifiers."""


@click.command("train")
@click.option("-o", "--output", type=PathType(path_type=Path), required=True, help="New folder for the bundle.")
@click.option(
    "--head",
    "kind",
    type=click.Choice([kind.value for kind in HeadKind]),
    default=HeadKind.MLP.value,
    show_default=True,
    help="Kind of head.",
)
@click.option(
    "--hidden", type=click.IntRange(min=1), default=HIDDEN, show_default=True, help="Hidden units of the MLP."
)
@click.option(
    "--chunk-length",
    type=click.IntRange(min=6),
    help="Bases of the chunks that the head is for; default: those of --bundle.",
)
@click.option(
    "--nucleotides-below",
    type=click.IntRange(min=1, max=LONGEST_SHORT),
    metavar="BASES",
    help="Score records shorter than this by their DNA alone, with a part of the head that is fitted to such records.",
)
@click.option("--name", help="Name written beside every result; default: the name of OUTPUT.")
@click.option("--licence", default="not stated", show_default=True, help="Licence of the head.")
@click.option("--intended-use", default="not stated", show_default=True, help="Intended use, for the model card.")
@labelled_options
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    output: Path,
    kind: str,
    hidden: int,
    chunk_length: int | None,
    nucleotides_below: int | None,
    name: str | None,
    licence: str,
    intended_use: str,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Fit a head to labelled INPUTS: two files, viruses and then others, or any number with --labels.

    The models of --bundle embed the records; its own head, if it has one, is not used. OUTPUT is a bundle with the new
    head, which is fitted, stopped early, calibrated and tested on different groups of records.
    """
    if os.path.lexists(output):
        raise OutputError(f"{output} exists already", hint="name a new folder")
    check_place(output)
    labelled = Labelled.of(context, **arguments)
    labelled.check()
    job = labelled.embedded(scored=False, chunk_length=chunk_length)
    examples = read_examples(job, labelled.labels)
    has_segments = labelled.coverage is Coverage.SEGMENTS
    found = [counted(int(examples.frames.sum()), "open frame")]
    found += [counted(int(examples.segments.sum()), "segment")] if has_segments else []
    labelled.say(f"{counted(len(examples.ids), 'record')} with {' and '.join(found)}: fitting a head")
    request = HeadRequest(
        kind=HeadKind(kind),
        hidden=hidden,
        seed=labelled.seed,
        chunk_length=job.spec.parameters.chunk_length,
        name=name or printable(output.absolute().name),
        licence=licence,
        intended_use=intended_use,
        has_segments=has_segments,
        nucleotides_below=nucleotides_below,
    )
    card = fit_bundle(
        output,
        labelled.bundle,
        examples,
        request,
        inputs=job.spec.inputs,
        say=lambda epoch: labelled.say(
            f"epoch {epoch.number}: training loss {epoch.training:.4f}, validation loss {epoch.validation:.4f}"
        ),
    )
    is_demonstration = labelled.bundle.description.demonstration
    if as_json:
        print_json(card | {"demonstration": is_demonstration})
        return
    found = card["unseen_groups"]
    bundle = f"{output} (DEMONSTRATION)" if is_demonstration else str(output)
    for line in _short_lines(card):
        labelled.say(line)
    labelled.say(f"bundle {bundle}: AUROC {found['auroc']} on {counted(found['records'], 'record')} of unseen groups")


def _short_lines(card: dict[str, Any]) -> Iterator[str]:
    """Lines that compare, for short records, nucleotides alone with both vectors."""
    if (short := card.get("short_records")) is None:
        return
    for part, whose in ((VALIDATION, "validation, to choose by"), (TEST, "test")):
        alone, both = (short[part][way] for way in ("nucleotides", "both_vectors"))
        yield (
            f"{counted(alone['records'], 'record')} shorter than {short['below']} bases of the groups of {whose}: "
            f"AUROC {alone['auroc']} by nucleotides alone, as they are scored now, {both['auroc']} by both vectors"
        )
