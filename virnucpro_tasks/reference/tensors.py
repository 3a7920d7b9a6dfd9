"""The tensors and sizes of one model of a bundle, in FP32."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor


def read_sizes(folder: Path) -> dict[str, Any]:
    """The entries of config.json."""
    sizes: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return sizes


def read_fp32(folder: Path, device: torch.device) -> dict[str, Tensor]:
    """The tensors of model.safetensors by name, FP32 on `device`."""
    tensors = load_file(folder / "model.safetensors", device=str(device))
    return {name: tensor.to(torch.float32) for name, tensor in tensors.items()}
