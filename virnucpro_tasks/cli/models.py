"""`virnucpro models`: fetch published files, make, check and list model bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli import pull
from virnucpro_tasks.cli.interrupted import saying_how_to_go_on
from virnucpro_tasks.cli.messages import print_json, say
from virnucpro_tasks.cli.options import PathType, WholeHelpGroup, json_option, settings_of
from virnucpro_tasks.errors import BackendError, install_hint, printable
from virnucpro_tasks.models.bundle import PRECISIONS, Bundle, read_bundle
from virnucpro_tasks.models.locate import DEMONSTRATION, bundles_in, copy_demo_bundle, demo_bundle, locate_bundle
from virnucpro_tasks.models.verification import verify_bundle

_DIGEST_SHOWN = 12
_FOLDER = PathType(path_type=Path)


@click.group("models", cls=WholeHelpGroup)
def command() -> None:
    """Fetch published files; make, check and list model bundles."""


command.add_command(pull.command)


@command.command()
@click.argument("output", type=_FOLDER)
@click.option("--dnabert", type=_FOLDER, required=True, help="DNABERT-S: its folder or weight file, or a bundle.")
@click.option("--tokenizer", type=_FOLDER, help="tokenizer.json of DNABERT-S; default: the one beside its weights.")
@click.option(
    "--esm2", type=_FOLDER, required=True, help="ESM-2: fair-esm .pt, Hugging Face file, index or folder, or a bundle."
)
@click.option(
    "--head",
    type=_FOLDER,
    help="VirNucPro classifier, such as 500_model.pth, or a bundle; a bundle without head is for 'virnucpro train'.",
)
@click.option(
    "--chunk-length",
    type=click.IntRange(min=6),
    help="Bases of the chunks that the head was trained on; needed unless its card, bundle, name or digest says.",
)
@click.option("--manifest", "manifest_file", type=_FOLDER, help="Manifest with digests of heads (docs/models.md).")
@click.option("--name", help="Name written beside every result; default: the name of OUTPUT.")
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default="fp16", show_default=True, help="Precision of the jobs."
)
@click.option(
    "--dtype",
    type=click.Choice(["fp32", "fp16"]),
    default="fp32",
    show_default=True,
    help="Precision of the stored weights.",
)
@click.option(
    "--licence",
    "licences",
    multiple=True,
    metavar="PART=TEXT",
    help="Licence of dnabert-s, esm2 or head; may be given again.",
)
@json_option
@click.pass_context
def convert(
    context: click.Context,
    /,
    *,
    output: Path,
    name: str | None,
    licences: tuple[str, ...],
    manifest_file: Path | None,
    as_json: bool,
    **files: Any,
) -> None:
    """Make the bundle folder OUTPUT from published files, or from parts of other bundles."""
    stated = dict(_part_and_text(licence) for licence in licences)
    with saying_how_to_go_on("nothing is left of the new bundle; repeat the command"):
        try:
            # Imported here: the other commands run in a client, which has no torch.
            from virnucpro_tasks.models.convert import convert_bundle
            from virnucpro_tasks.models.head_length import heads_known_here
        except ImportError as error:
            raise _needs_worker(error) from None
        known = heads_known_here(manifest_file, downloads=settings_of(context).downloads)
        made = convert_bundle(
            name=name or printable(output.absolute().name),
            output=output,
            licences=stated,
            known=known,
            warn=lambda text: say(f"warning: {text}"),
            **files,
        )
    _show(made, as_json=as_json)


@command.command()
@click.argument("bundle")
@json_option
def verify(*, bundle: str, as_json: bool) -> None:
    """Hash every file of BUNDLE (a folder, or 'demo') and compare with its bundle.json."""
    found = locate_bundle(bundle)
    verify_bundle(found)
    _show(found, as_json=as_json)


@command.command("list")
@click.argument("folders", nargs=-1, type=_FOLDER)
@json_option
def list_bundles(*, folders: tuple[Path, ...], as_json: bool) -> None:
    """List the shipped demonstration and the bundles in FOLDERS: each is a bundle, or a folder of bundles."""
    inside = [bundles_in(folder) for folder in folders]
    bundles = [demo_bundle(), *(bundle for found in inside for bundle in found)]
    if as_json:
        print_json([_facts(bundle) for bundle in bundles])
        return
    for bundle in bundles:
        click.echo(_line(bundle))
    for folder, found in zip(folders, inside, strict=True):
        if not found:
            say(f"no bundle in {folder}")


@command.command()
@click.argument("output", type=_FOLDER)
@click.option(
    "--rebuild",
    type=PathType(path_type=Path),
    metavar="FASTA",
    help="Make random weights instead, and a tokenizer trained on these sequences.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the weights of --rebuild.")
@json_option
def demo(*, output: Path, rebuild: Path | None, seed: int | None, as_json: bool) -> None:
    """Copy the demonstration bundle into the new folder OUTPUT; with --rebuild, make one of random weights."""
    if rebuild is None:
        if seed is not None:
            raise click.UsageError("--seed needs --rebuild")
        copy_demo_bundle(output)
    else:
        try:
            from virnucpro_tasks.models.demo import SEED, build_demo_bundle, fasta_sequences
        except ImportError as error:
            raise _needs_worker(error) from None
        build_demo_bundle(output, sequences=fasta_sequences(rebuild), seed=SEED if seed is None else seed)
    _show(read_bundle(output), as_json=as_json)


def _part_and_text(licence: str) -> tuple[str, str]:
    part, equals, text = licence.partition("=")
    if not (part and equals and text):
        raise click.BadParameter(f"{licence!r} is not PART=TEXT", param_hint="--licence")
    return part, text


def _needs_worker(error: ImportError) -> BackendError:
    return BackendError(f"this needs {error.name}", hint=install_hint("worker"))


def _facts(bundle: Bundle) -> dict[str, Any]:
    description = bundle.description
    return {
        "name": description.name,
        "path": str(bundle.path),
        "digest": bundle.digest,
        "nucleotide_model": description.nucleotide_model,
        "protein_model": description.protein_model,
        "head": description.head,
        "nucleotide_width": description.nucleotide_width,
        "protein_width": description.protein_width,
        "bytes": sum((bundle.path / name).stat().st_size for name in description.sha256),
        "chunk_length": description.chunk_length,
        "precision": description.precision,
        "demonstration": description.demonstration,
        "licences": description.licences,
    }


def _line(bundle: Bundle) -> str:
    description, facts = bundle.description, _facts(bundle)
    place = DEMONSTRATION if bundle.path == demo_bundle().path else str(bundle.path)
    return (
        f"{place}  {description.label}  {bundle.digest[:_DIGEST_SHOWN]}  {description.nucleotide_model} + "
        f"{description.protein_model} + {description.head}  widths {description.nucleotide_width} + "
        f"{description.protein_width}  chunks of {description.chunk_length}  {description.precision}  "
        f"{facts['bytes'] / 1e6:.1f} MB"
    )


def _show(bundle: Bundle, *, as_json: bool) -> None:
    if as_json:
        print_json(_facts(bundle))
    else:
        click.echo(_line(bundle))
