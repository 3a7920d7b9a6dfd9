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
from virnucpro_tasks.models.bundle import Bundle, BundleDescription
from virnucpro_tasks.models.sizes import CLASSES, HeadSizes, misfit

HEAD_FILE = "head/model.safetensors"
EPSILON = 1e-5
"""Of torch's BatchNorm1d, which the classifier was trained with."""

BLOCK_ROWS = 256
"""Rows converted to float64 at a time; bounds the memory and has no influence on any score."""

NORM_BITS = 26
"""Vectors are rounded to whole numbers with a norm of at most 2**26 and a bit. By Cauchy and Schwarz every partial sum
of a product of two of them is then a whole number below 2**53, which float64 holds exactly."""


@dataclass(frozen=True, slots=True)
class WholeVectors:
    """Vectors as `numbers` times `unit`: whole numbers (n, width) and a power of two for each (n, 1), both float64."""

    numbers: np.ndarray
    unit: np.ndarray

    @classmethod
    def rounded(cls, vectors: np.ndarray) -> WholeVectors:
        """`vectors` (n, width), each value rounded to about 2**-26 of the norm of its row."""
        vectors = vectors.astype(np.float64)
        norms = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
        exponents = np.frexp(norms)[1] - NORM_BITS
        return cls(np.rint(vectors * np.ldexp(1.0, -exponents)), np.ldexp(1.0, exponents))

    def products(self, others: WholeVectors) -> np.ndarray:
        """Scalar products of all rows, float64 (n, n of `others`).

        They are exact, so neither the order in which BLAS adds nor its number of threads can change a bit.
        """
        return (self.numbers @ others.numbers.T) * self.unit * others.unit.T


@dataclass(frozen=True, slots=True)
class Head:
    """The classifier of VirNucPro in evaluation mode; all arrays are float64.

    `hidden` (a vector of the widths together for each hidden unit), `scale` and `shift` (hidden units): batch
    normalization with the bias of the hidden layer folded in, `output` (a vector for each class), `output_bias` (2).
    """

    nucleotide_width: int
    protein_width: int
    hidden: WholeVectors
    scale: np.ndarray
    shift: np.ndarray
    output: WholeVectors
    output_bias: np.ndarray

    @classmethod
    def load(cls, bundle: Bundle) -> Head:
        """Read head/model.safetensors of `bundle`; no other file of it needs to be there.

        Raises BundleError if it is missing, differs from its digest or does not fit the bundle's models; the message
        then says what it fits.
        """
        description = bundle.description
        if not description.has_head:
            raise BundleError(
                f"the bundle {description.name!r} has no head, so it scores nothing",
                path=bundle.path,
                hint="fit one to labelled records: virnucpro train VIRUSES OTHERS --bundle THIS --output NEW",
            )
        path = bundle.path / HEAD_FILE
        tensors = _checked_tensors(path, digest=description.sha256[HEAD_FILE])
        _check_widths(tensors, description, path)
        _check_shapes(tensors, description.nucleotide_width + description.protein_width, path)
        scale = tensors["bn1.weight"] / np.sqrt(tensors["bn1.running_var"] + EPSILON)
        return cls(
            nucleotide_width=description.nucleotide_width,
            protein_width=description.protein_width,
            hidden=WholeVectors.rounded(tensors["hidden_layer.weight"]),
            scale=scale,
            shift=(tensors["hidden_layer.bias"] - tensors["bn1.running_mean"]) * scale + tensors["bn1.bias"],
            output=WholeVectors.rounded(tensors["output_layer.weight"]),
            output_bias=tensors["output_layer.bias"],
        )

    def scores(self, nucleotide: np.ndarray, protein: np.ndarray) -> np.ndarray:
        """P(others) and P(virus) of each row, float32 (n, 2).

        `nucleotide` is (n, nucleotide_width), `protein` (n, protein_width), float32, row by row of the same frames.
        A row's scores are bit for bit the same whatever other rows are given and wherever it stands; a row with a NaN
        gets NaN.
        Raises ValueError for other shapes.
        """
        count = len(nucleotide)
        if nucleotide.shape != (count, self.nucleotide_width) or protein.shape != (count, self.protein_width):
            raise ValueError(
                f"vectors of shape {nucleotide.shape} and {protein.shape} for a head that takes "
                f"{self.nucleotide_width} and {self.protein_width}"
            )
        scores = np.empty((count, len(CLASSES)), np.float32)
        for start in range(0, count, BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            scores[block] = self._block_scores(np.concatenate([nucleotide[block], protein[block]], axis=1))
        return scores

    def _block_scores(self, joined: np.ndarray) -> np.ndarray:
        activation = WholeVectors.rounded(joined).products(self.hidden)
        activation *= self.scale
        activation += self.shift
        np.maximum(activation, 0, out=activation)
        logits = WholeVectors.rounded(activation).products(self.output) + self.output_bias
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
    return {name: tensor.astype(np.float64) for name, tensor in tensors.items()}


def _check_widths(tensors: dict[str, Any], description: BundleDescription, path: Path) -> None:
    widths = description.nucleotide_width, description.protein_width
    hidden = tensors.get("hidden_layer.weight", np.empty(0))
    if hidden.ndim == 2 and hidden.shape[1] != sum(widths):
        raise BundleError(
            misfit(hidden.shape[1], *widths), path=path, hint="convert the bundle again, with models that go together"
        )


def _check_shapes(tensors: dict[str, Any], widths: int, path: Path) -> None:
    bias = tensors.get("hidden_layer.bias", np.empty(0))
    for name, shape in HeadSizes(width=widths, hidden=len(bias)).shapes().items():
        found = tensors[name].shape if name in tensors else "no tensor"
        if found != shape:
            raise BundleError(f"{name}: expected shape {shape}, found {found}", path=path, hint="convert it again")
