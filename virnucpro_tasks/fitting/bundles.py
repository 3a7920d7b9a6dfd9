"""A bundle with the encoders of another one and a fitted head."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

from virnucpro_tasks.atomic import write_json
from virnucpro_tasks.fitting.tensors import HeadTensors
from virnucpro_tasks.models.bundle import CARD_FILE, MEMBER_FILES, Bundle, describe_bundle, read_bundle, verify_bundle
from virnucpro_tasks.models.folder import new_folder
from virnucpro_tasks.models.sizes import CLASSES


def write_trained(
    output: Path,
    encoders: Bundle,
    head: HeadTensors,
    *,
    card: dict[str, Any],
    name: str,
    chunk_length: int,
    head_name: str,
    licence: str,
    demonstration: bool = False,
) -> Bundle:
    """Write the new folder `output`; files of the encoders are hard links where that is possible.

    Raises BundleError if `encoders` are damaged, OutputError if `output` exists.
    """
    verify_bundle(encoders)
    description = encoders.description
    with new_folder(output) as folder:
        for member in MEMBER_FILES:
            (folder / member).parent.mkdir(exist_ok=True)
            if not member.startswith("head/"):
                _link_or_copy(encoders.path / member, folder / member)
        save_file(head.state(), folder / "head" / "model.safetensors")
        write_json(
            folder / "head" / "config.json",
            {
                "nucleotide_width": description.nucleotide_width,
                "protein_width": description.protein_width,
                "hidden": len(head.hidden),
                "classes": list(CLASSES),
            },
        )
        write_json(folder / CARD_FILE, card)
        describe_bundle(
            folder,
            name=name,
            demonstration=demonstration,
            chunk_length=chunk_length,
            precision=description.precision,
            nucleotide_model=description.nucleotide_model,
            protein_model=description.protein_model,
            head=head_name,
            nucleotide_width=description.nucleotide_width,
            protein_width=description.protein_width,
            licences=description.licences | {"head": licence},
        )
    return read_bundle(output)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
