"""Writing a bundle with the encoders of another one and a fitted head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from safetensors.numpy import save_file

from virnucpro_tasks.heads.card import model_card
from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.mlp import Epoch
from virnucpro_tasks.heads.short_records import ShortPart
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.train import HeadKind, fit_head
from virnucpro_tasks.jobs.staging import StagedInput
from virnucpro_tasks.models.bundle import CARD_FILE, ENCODER_FILES, Bundle, describe_bundle, read_bundle
from virnucpro_tasks.models.folder import new_folder
from virnucpro_tasks.models.sizes import CLASSES, SHORT_KIND, SHORT_PREFIX, FittedRecordScore
from virnucpro_tasks.models.verification import verify_bundle
from virnucpro_tasks.system.file_operations import link_or_copy, utf8_path
from virnucpro_tasks.system.files import write_json


@dataclass(frozen=True, slots=True)
class HeadRequest:
    """The head to fit, and the texts of its bundle. `hidden` is for the MLP; `chunk_length` is in bases.

    `has_segments` says whether its score of records is also fitted to segments; `nucleotides_below` are the bases below
    which records are scored by nucleotides alone, if any are.
    """

    kind: HeadKind
    hidden: int
    seed: int
    chunk_length: int
    name: str
    licence: str
    intended_use: str
    demonstration: bool = False
    has_segments: bool = False
    nucleotides_below: int | None = None


def fit_bundle(
    output: Path,
    encoders: Bundle,
    examples: Examples,
    request: HeadRequest,
    *,
    inputs: Sequence[StagedInput],
    say: Callable[[Epoch], None] = lambda _: None,
) -> dict[str, Any]:
    """Fit a head to `examples`, vectors by `encoders`, and write it with them as the new folder `output`.

    Returns the card. Raises InputError if there are too few groups, BundleError if `encoders` are damaged, OutputError
    if `output` exists.
    """
    fitted = fit_head(
        examples,
        kind=request.kind,
        hidden=request.hidden,
        seed=request.seed,
        has_segments=request.has_segments,
        nucleotides_below=request.nucleotides_below,
        say=say,
    )
    card = model_card(
        examples,
        fitted,
        kind=request.kind,
        encoders=encoders,
        inputs=inputs,
        chunk_length=request.chunk_length,
        seed=request.seed,
        intended_use=request.intended_use,
    )
    write_trained(
        output,
        encoders,
        fitted.head,
        fitted.record_score,
        request,
        short=fitted.short,
        card=card,
        head_name=f"{request.kind}, {len(examples.ids)} records",
    )
    return card


def write_trained(
    output: Path,
    encoders: Bundle,
    head: HeadTensors,
    record_score: FittedRecordScore,
    request: HeadRequest,
    *,
    short: ShortPart | None = None,
    card: dict[str, Any],
    head_name: str,
) -> Bundle:
    """Write the new folder `output`; files of the encoders are hard links where that is possible.

    Raises BundleError if `encoders` are damaged, OutputError if `output` exists.
    """
    verify_bundle(encoders)
    description = encoders.description
    with new_folder(output) as folder:
        for member in ENCODER_FILES:
            (folder / member).parent.mkdir(exist_ok=True)
            link_or_copy(encoders.path / member, folder / member)
        (folder / "head").mkdir()
        with utf8_path(folder / "head" / "model.safetensors") as weights:
            save_file(head.state() | (short.head.state(prefix=SHORT_PREFIX) if short else {}), weights)
        write_json(
            folder / "head" / "config.json",
            {
                "nucleotide_width": description.nucleotide_width,
                "protein_width": description.protein_width,
                "hidden": len(head.hidden),
                "classes": list(CLASSES),
                "record_score": msgspec.to_builtins(record_score),
            }
            | (
                {"kind": SHORT_KIND, "nucleotides_below": short.below, "short_hidden": len(short.head.hidden)}
                if short
                else {}
            ),
        )
        write_json(folder / CARD_FILE, card)
        describe_bundle(
            folder,
            name=request.name,
            demonstration=request.demonstration or description.demonstration,
            chunk_length=request.chunk_length,
            precision=description.precision,
            nucleotide_model=description.nucleotide_model,
            protein_model=description.protein_model,
            head=head_name,
            nucleotide_width=description.nucleotide_width,
            protein_width=description.protein_width,
            licences=description.licences | {"head": request.licence},
        )
        read_bundle(folder)
    return read_bundle(output)
