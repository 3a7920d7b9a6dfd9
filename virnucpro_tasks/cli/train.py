"""`virnucpro train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.labelled import embedded, labelled_options, read_labels, require_train_extra
from virnucpro_tasks.cli.options import describe_bundle_line, engine_options, json_option, print_json, say, settings_of
from virnucpro_tasks.errors import OutputError
from virnucpro_tasks.fitting.bundles import write_trained
from virnucpro_tasks.fitting.card import model_card
from virnucpro_tasks.fitting.examples import read_examples
from virnucpro_tasks.fitting.train import HeadKind, fit_head
from virnucpro_tasks.models.locate import find_bundle

HIDDEN = 512
"""Of the published classifiers."""


@click.command("train")
@labelled_options
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="New folder for the bundle.")
@click.option(
    "--head",
    "kind",
    type=click.Choice([kind.value for kind in HeadKind]),
    default=HeadKind.MLP.value,
    show_default=True,
)
@click.option(
    "--hidden", type=click.IntRange(min=1), default=HIDDEN, show_default=True, help="Hidden units of the MLP."
)
@click.option("--name", help="Name written beside every result; default: the name of OUTPUT.")
@click.option("--licence", default="not stated", show_default=True, help="Of the head.")
@click.option("--intended-use", default="not stated", show_default=True, help="For the model card.")
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
    kind: HeadKind,
    hidden: int,
    name: str | None,
    licence: str,
    intended_use: str,
    as_json: bool,
    **flags: Any,
) -> None:
    """Fit a head to labelled INPUTS: two files, viruses and then others, or any with --labels.

    The models of --bundle embed them, its own head is not used. The result is a bundle with the new one, fitted,
    stopped, calibrated and judged on different groups of records.
    """
    require_train_extra()
    known = read_labels(inputs, labels)
    if output.exists():
        raise OutputError(f"{output} exists already", hint="name a new folder")
    settings = settings_of(context, **flags, bundle=bundle, store=work)
    encoders = find_bundle(settings.bundle)
    say(describe_bundle_line(encoders), quiet=quiet)
    job = embedded(settings, inputs, devices=devices, quiet=quiet)
    examples = read_examples(job, known)
    fitted = fit_head(
        examples,
        kind=HeadKind(kind),
        hidden=hidden,
        seed=seed,
        say=lambda epoch: say(
            f"epoch {epoch.number}: loss {epoch.training:.4f}, of records that stop {epoch.stopping:.4f}", quiet=quiet
        ),
    )
    chunk_length = job.spec.parameters.chunk_length
    card = model_card(
        examples,
        fitted.parts,
        fitted.scores,
        kind=kind,
        encoders=encoders,
        inputs=job.spec.inputs,
        chunk_length=chunk_length,
        seed=seed,
        intended_use=intended_use,
    )
    write_trained(
        output,
        encoders,
        fitted.head,
        card=card,
        name=name or output.absolute().name,
        chunk_length=chunk_length,
        head_name=f"{kind}, {len(examples.ids)} records",
        licence=licence,
    )
    if as_json:
        print_json(card)
        return
    found = card["unseen_groups"]
    say(f"bundle {output}: AUROC {found['auroc']} on {found['records']} records of unseen groups", quiet=quiet)
