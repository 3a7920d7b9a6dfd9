"""Tensors of the published kind of head, in which every fitted head is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.classifier.mlp import EPSILON

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class HeadTensors:
    """`hidden` (h, width), `hidden_bias`, `scale`, `shift`, `mean`, `variance` (h,) of the batch normalization,
    `output` (2, h), `output_bias` (2,).
    """

    hidden: Array
    hidden_bias: Array
    scale: Array
    shift: Array
    mean: Array
    variance: Array
    output: Array
    output_bias: Array

    @classmethod
    def linear(cls, weight: Array, bias: float) -> Self:
        """A head with the log odds `weight` x + `bias`: two hidden units pass the positive and negative part."""
        ones = np.ones(2)
        return cls(
            hidden=np.stack([weight, -weight]),
            hidden_bias=np.array([bias, -bias]),
            scale=ones,
            shift=np.zeros(2),
            mean=np.zeros(2),
            variance=ones - EPSILON,
            output=np.array([[-0.5, 0.5], [0.5, -0.5]]),
            output_bias=np.zeros(2),
        )

    def standardised(self, mean: Array, deviation: Array) -> Self:
        """A head for x that gives what this one gives for (x - mean) / deviation."""
        hidden = self.hidden / deviation
        return replace(self, hidden=hidden, hidden_bias=self.hidden_bias - hidden @ mean)

    def calibrated(self, slope: float, intercept: float) -> Self:
        """A head with the log odds of this one times `slope` plus `intercept`."""
        return replace(
            self, output=slope * self.output, output_bias=slope * self.output_bias + [-intercept / 2, intercept / 2]
        )

    def state(self, *, prefix: str = "") -> dict[str, NDArray[np.float32]]:
        """Tensors by their names in the file, which begin with `prefix`, FP32."""
        arrays = {
            "hidden_layer.weight": self.hidden,
            "hidden_layer.bias": self.hidden_bias,
            "bn1.weight": self.scale,
            "bn1.bias": self.shift,
            "bn1.running_mean": self.mean,
            "bn1.running_var": self.variance,
            "output_layer.weight": self.output,
            "output_layer.bias": self.output_bias,
        }
        return {prefix + name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}

    def log_odds(self, joined: NDArray[np.float32]) -> Array:
        """log P(virus) / P(others) of each row (n, width)."""
        inner = joined.astype(np.float64) @ self.hidden.T + self.hidden_bias
        inner = (inner - self.mean) / np.sqrt(self.variance + EPSILON) * self.scale + self.shift
        logits = np.maximum(inner, 0) @ self.output.T + self.output_bias
        return logits[:, 1] - logits[:, 0]
