"""The classifier on joined vectors, in NumPy: a finishing process needs no torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.sizes import CLASSES, HeadSizes

HEAD_FILE = "head/model.safetensors"
EPSILON = 1e-5
"""Of torch's BatchNorm1d, which the classifier was trained with."""

BLOCK_ROWS = 256
"""Rows of every matrix product. Always so many, so that BLAS takes one path and a row's score does not depend on
what else is scored; a last block is filled up with zeros."""


@dataclass(frozen=True, slots=True)
class Head:
    """The classifier of VirNucPro in evaluation mode; all arrays are float32.

    `hidden` (widths together, hidden units), `scale` and `shift` (hidden units): batch normalization with the bias
    of the hidden layer folded in, `output` (hidden units, 2), `output_bias` (2).
    """

    nucleotide_width: int
    protein_width: int
    hidden: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray

    @classmethod
    def load(cls, bundle: Bundle) -> Head:
        """Read head/model.safetensors of `bundle`; no other file of it needs to be there.

        Raises BundleError if it is missing, differs from its digest or does not fit the bundle's widths.
        """
        description = bundle.description
        path = bundle.path / HEAD_FILE
        tensors = _checked_tensors(path, digest=description.sha256[HEAD_FILE])
        widths = description.nucleotide_width + description.protein_width
        _check_shapes(tensors, widths, path)
        scale = tensors["bn1.weight"] / np.sqrt(tensors["bn1.running_var"] + np.float32(EPSILON))
        return cls(
            nucleotide_width=description.nucleotide_width,
            protein_width=description.protein_width,
            hidden=np.ascontiguousarray(tensors["hidden_layer.weight"].T),
            scale=scale,
            shift=(tensors["hidden_layer.bias"] - tensors["bn1.running_mean"]) * scale + tensors["bn1.bias"],
            output=np.ascontiguousarray(tensors["output_layer.weight"].T),
            output_bias=tensors["output_layer.bias"],
        )

    def scores(self, nucleotide: np.ndarray, protein: np.ndarray) -> np.ndarray:
        """P(others) and P(virus) of each row, float32 (n, 2).

        `nucleotide` is (n, nucleotide_width), `protein` (n, protein_width), float32, row by row of the same frames.
        A row's scores are bit for bit the same whatever other rows are given and wherever it stands.
        Raises ValueError for other shapes.
        """
        count = len(nucleotide)
        if nucleotide.shape != (count, self.nucleotide_width) or protein.shape != (count, self.protein_width):
            raise ValueError(
                f"vectors of shape {nucleotide.shape} and {protein.shape} for a head that takes "
                f"{self.nucleotide_width} and {self.protein_width}"
            )
        scores = np.empty((count, len(CLASSES)), np.float32)
        joined = np.zeros((BLOCK_ROWS, self.nucleotide_width + self.protein_width), np.float32)
        for start in range(0, count, BLOCK_ROWS):
            rows = min(BLOCK_ROWS, count - start)
            joined[:rows, : self.nucleotide_width] = nucleotide[start : start + rows]
            joined[:rows, self.nucleotide_width :] = protein[start : start + rows]
            joined[rows:] = 0
            scores[start : start + rows] = self._block_scores(joined)[:rows]
        return scores

    def _block_scores(self, joined: np.ndarray) -> np.ndarray:
        activation = joined @ self.hidden
        activation *= self.scale
        activation += self.shift
        np.maximum(activation, 0, out=activation)
        logits = activation @ self.output + self.output_bias
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)


def _checked_tensors(path: Path, *, digest: str) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(error.strerror or "cannot be read", path=path) from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise BundleError(
            "it differs from the digest in bundle.json", path=path, hint="copy or convert the bundle again"
        )
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise BundleError(f"damaged safetensors ({error})", path=path, hint="convert the bundle again") from None
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def _check_shapes(tensors: dict[str, Any], widths: int, path: Path) -> None:
    bias = tensors.get("hidden_layer.bias", np.empty(0))
    for name, shape in HeadSizes(width=widths, hidden=len(bias)).shapes().items():
        found = tensors[name].shape if name in tensors else "no tensor"
        if found != shape:
            raise BundleError(f"{name}: expected shape {shape}, found {found}", path=path, hint="convert it again")
