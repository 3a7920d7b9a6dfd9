"""The classifier of VirNucPro in NumPy: a hidden layer with batch normalization, and two outputs.

A logistic regression that `virnucpro train` fitted is stored in the same tensors, so it is of this kind too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from virnucpro_tasks.classifier.exact_products import WholeVectors
from virnucpro_tasks.classifier.head_files import HeadFiles
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.sizes import CLASSES, HeadSizes, misfit

EPSILON = 1e-5
"""Epsilon of torch's BatchNorm1d, which the classifier was trained with."""

BLOCK_ROWS = 256
"""Rows converted to float64 at a time; bounds the memory and has no influence on any score."""


@dataclass(frozen=True, slots=True)
class MlpHead:
    """The classifier in evaluation mode; all arrays are float64.

    `hidden` (a vector of both widths together for each hidden unit), `scale` and `shift` (hidden units): batch
    normalization with the bias of the hidden layer folded in, `output` (a vector for each class), `output_bias` (2).
    The protein width is 0 for a classifier of nucleotide vectors alone.
    """

    nucleotide_width: int
    protein_width: int
    hidden: WholeVectors
    scale: np.ndarray
    shift: np.ndarray
    output: WholeVectors
    output_bias: np.ndarray

    @classmethod
    def of(cls, files: HeadFiles) -> MlpHead:
        """Raises BundleError if the tensors do not fit the bundle's models; the message then says what they fit."""
        widths = files.description.nucleotide_width, files.description.protein_width
        _check_widths(files, *widths)
        return cls.of_tensors(files.tensors, *widths, path=files.path)

    @classmethod
    def of_tensors(
        cls,
        tensors: Mapping[str, np.ndarray],
        nucleotide_width: int,
        protein_width: int,
        *,
        path: Path,
        prefix: str = "",
    ) -> MlpHead:
        """From those `tensors` (float64) of the file `path` whose names begin with `prefix`.

        Raises BundleError if they do not fit the widths, or if a value is none that a classifier can have.
        """
        widths = nucleotide_width, protein_width
        tensors = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        _check_shapes(tensors, sum(widths), path=path, prefix=prefix)
        _check_numbers(tensors, path=path, prefix=prefix)
        scale = tensors["bn1.weight"] / np.sqrt(tensors["bn1.running_var"] + EPSILON)
        return cls(
            *widths,
            hidden=WholeVectors.rounded(tensors["hidden_layer.weight"]),
            scale=scale,
            shift=(tensors["hidden_layer.bias"] - tensors["bn1.running_mean"]) * scale + tensors["bn1.bias"],
            output=WholeVectors.rounded(tensors["output_layer.weight"]),
            output_bias=tensors["output_layer.bias"],
        )

    def scores(self, nucleotide: np.ndarray, protein: np.ndarray) -> np.ndarray:
        """See `Head`. Raises ValueError for vectors of other widths."""
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


def _check_widths(files: HeadFiles, *widths: int) -> None:
    hidden = files.tensors.get("hidden_layer.weight", np.empty(0))
    if hidden.ndim == 2 and hidden.shape[1] != sum(widths):
        raise BundleError(
            misfit(hidden.shape[1], *widths),
            path=files.path,
            hint="convert the bundle again, with models that go together",
        )


def _check_numbers(tensors: Mapping[str, np.ndarray], *, path: Path, prefix: str) -> None:
    for name, tensor in tensors.items():
        least = 0.0 if name == "bn1.running_var" else -np.inf
        if not (np.isfinite(tensor) & (tensor >= least)).all():
            raise BundleError(
                f"{prefix}{name} holds a value that is not finite, or a negative variance: no score would be a number",
                path=path,
                hint="get the classifier again, or train it again",
            )


def _check_shapes(tensors: Mapping[str, np.ndarray], width: int, *, path: Path, prefix: str) -> None:
    bias = tensors.get("hidden_layer.bias", np.empty(0))
    for name, shape in HeadSizes(width=width, hidden=len(bias)).shapes().items():
        found = tensors[name].shape if name in tensors else "no tensor"
        if found != shape:
            raise BundleError(
                f"{prefix}{name}: expected shape {shape}, found {found}", path=path, hint="convert it again"
            )
