"""Sizes and tensors of one model of a bundle, checked against those that the model's code expects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.jsonfile import read_struct
from virnucpro_tasks.system.file_operations import mappable

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
_CONVERT_HINT = "convert the bundle again"

Sizes = TypeVar("Sizes")


def read_sizes(directory: Path, kind: type[Sizes]) -> Sizes:
    """Read config.json as a `kind`. Raises BundleError naming the entry at fault."""
    return read_struct(directory / CONFIG_FILE, kind, hint=_CONVERT_HINT)


def read_tensors(
    directory: Path,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    optional: Mapping[str, tuple[int, ...]],
    device: torch.device,
    dtype: torch.dtype,
) -> dict[str, Tensor]:
    """The tensors of model.safetensors on `device`; those of `shapes` in `dtype`, those of `optional` in FP32.

    Raises BundleError naming a tensor that is missing, has another shape, or is in neither table.
    """
    file = directory / WEIGHTS_FILE
    known = {**shapes, **optional}
    tensors: dict[str, Tensor] = {}
    try:
        with mappable(file) as mapped, safe_open(mapped, framework="pt", device="cpu") as content:
            present = set(content.keys())
            for name in sorted(set(shapes) - present):
                raise BundleError(f"tensor {name!r} is missing", path=file, hint=_CONVERT_HINT)
            for name in sorted(present - set(known)):
                raise BundleError(f"tensor {name!r} is not part of this model", path=file, hint=_CONVERT_HINT)
            for name in sorted(present):
                shape = tuple(content.get_slice(name).get_shape())
                if shape != known[name]:
                    raise BundleError(
                        f"tensor {name!r} has shape {shape}, not {known[name]}", path=file, hint=_CONVERT_HINT
                    )
                kind = dtype if name in shapes else torch.float32
                # A copy: as a part of the mapped file it would change with the file, or end this process.
                tensors[name] = content.get_tensor(name).to(device=device, dtype=kind, copy=True)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"cannot be read: {error}", path=file, hint="copy or convert the bundle again") from None
    return tensors


def parameter_shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a module's parameters; the module may be on the meta device."""
    return {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}


def embedding(rows: int, width: int) -> nn.Embedding:
    """`nn.Embedding(rows, width)`, without drawing random values on the meta device.

    For that torch would import its compiler, which takes two seconds.
    """
    weight = torch.empty(rows, width)
    if not weight.is_meta:
        nn.init.normal_(weight)
    return nn.Embedding.from_pretrained(weight, freeze=False)
