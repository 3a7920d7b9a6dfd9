"""Bundles as a job keeps them: the description and the head, of any tensors and configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import save_file

from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.system.files import file_sha256


def bundle_of(
    folder: Path, tensors: dict[str, torch.Tensor], nucleotide: int, protein: int, **configuration: Any
) -> Bundle:
    """A head of `tensors` in `folder`; `configuration` is added to the entries that all heads have."""
    (folder / "head").mkdir(parents=True)
    files = [folder / "head" / name for name in ("config.json", "model.safetensors")]
    stated = {"nucleotide_width": nucleotide, "protein_width": protein, "classes": ["others", "virus"]}
    files[0].write_text(json.dumps(stated | configuration))
    save_file(tensors, files[1])
    shipped = demo_bundle().description
    description = msgspec.structs.replace(
        shipped,
        nucleotide_width=nucleotide,
        protein_width=protein,
        sha256=shipped.sha256 | {f"head/{file.name}": file_sha256(file) for file in files},
    )
    return Bundle(folder, description)
