"""What calibration proteins tell about the inputs of a product."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from virnucpro_tasks.embed.tokens import VOCABULARY_SIZE


@dataclass
class Statistics:
    """Of the inputs of one product over the calibration tokens."""

    largest: Tensor
    smallest: Tensor
    sums: Tensor
    counts: Tensor
    products: Tensor

    @classmethod
    def empty(cls, width: int) -> Statistics:
        infinity = torch.full((width,), torch.inf)
        by_token = torch.zeros(VOCABULARY_SIZE, width, dtype=torch.float64)
        products = torch.zeros(width, width, dtype=torch.float64)
        return cls(-infinity, infinity, by_token, torch.zeros(VOCABULARY_SIZE, dtype=torch.float64), products)

    def add(self, inputs: Tensor, tokens: Tensor) -> None:
        self.largest = torch.maximum(self.largest, inputs.amax(0))
        self.smallest = torch.minimum(self.smallest, inputs.amin(0))
        exact = inputs.double()
        self.sums.index_add_(0, tokens, exact)
        self.counts += torch.bincount(tokens, minlength=VOCABULARY_SIZE)
        self.products.addmm_(exact.t(), exact)

    def offsets(self, kind: str) -> Tensor:
        """Nothing (one row), the mean (one row), or one row a token of the vocabulary; unseen ones get the mean."""
        mean = self.sums.sum(0) / self.counts.sum()
        if kind == "residue":
            return torch.where(self.counts[:, None] > 0, self.sums / self.counts.clamp(min=1)[:, None], mean)
        return mean[None] if kind == "mean" else torch.zeros_like(mean)[None]

    def extent(self, offset: str) -> Tensor:
        """Largest magnitude by channel, with the mean subtracted if anything is."""
        centre = self.offsets("mean" if offset else "")[0].float()
        return torch.maximum((self.largest - centre).abs(), (self.smallest - centre).abs())

    def moments(self, offset: str) -> Tensor:
        """Mean product of any two channels after subtraction of the offsets."""
        rows = self.offsets(offset)
        counts = self.counts[:, None] if offset == "residue" else self.counts.sum()
        return (self.products - (rows * counts).t() @ rows) / self.counts.sum()
