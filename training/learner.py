"""An encoder with the parts that only training needs, and its losses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.forward import masked_mean
from training.kinds import Kind, initialised

MASKED, AS_MASK, AS_RANDOM = 0.15, 0.8, 0.1
SMOOTHING = 0.05
"""Smoothing of the labels, because some sequences of the others are integrated viruses."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Cross-entropies in nats: of masked tokens, of virus or not, of the taxon."""

    language: Tensor
    virus: Tensor
    taxon: Tensor


class Learner(nn.Module):
    """Encoder, language-model output (its matrix is the embedding's), and two linear outputs on the mean vector."""

    def __init__(self, kind: Kind, taxa: int, *, seed: int) -> None:
        super().__init__()
        self.kind = kind
        self.encoder = kind.model()
        self.states = kind.states
        width = kind.sizes.width
        self.language = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.language_bias = nn.Parameter(torch.zeros(kind.vocabulary))
        self.virus = nn.Linear(width, 1)
        self.taxon = nn.Linear(width, taxa)
        initialised(self, seed=seed)

    def forward(self, tokens: Tensor, *, dropout: float = 0.0) -> tuple[Tensor, Tensor]:
        """States (B, L, width), and mean vectors (B, width) FP32 as the pipeline computes them."""
        present = tokens != self.kind.pad
        states = self.states(self.encoder, tokens, present, dropout=dropout)
        counted = present if self.kind.ends_count else present & ~self.kind.ends(tokens)
        return states, masked_mean(states, counted)

    def losses(
        self,
        tokens: Tensor,
        given: Tensor,
        places: Tensor,
        virus: Tensor,
        taxon: Tensor,
        *,
        dropout: float,
        teach: bool,
    ) -> Losses:
        """Losses for `tokens` (B, L), given as what `hidden` made of them; `places` are those to be told.

        Without `teach` the two classifications train their own outputs and leave the encoder alone.
        """
        states, vectors = self(given, dropout=dropout)
        table = self.encoder.get_parameter(self.kind.embedding)
        words = functional.linear(self.language(states[places]), table, self.language_bias)
        if not teach:
            vectors = vectors.detach()
        targets = virus.float() * (1 - SMOOTHING) + SMOOTHING / 2
        return Losses(
            language=functional.cross_entropy(words.float(), tokens[places]),
            virus=functional.binary_cross_entropy_with_logits(self.virus(vectors)[:, 0].float(), targets),
            taxon=functional.cross_entropy(self.taxon(vectors).float(), taxon),
        )


def hidden(tokens: Tensor, kind: Kind, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A copy of `tokens` (B, L) to guess from, and the places (B, L) bool to be guessed.

    Of the tokens in `rows` (B,) bool, without first, last and padding, MASKED are chosen; AS_MASK of these become the
    mask, AS_RANDOM another token, the rest stays (BERT's rule).
    """
    free = (tokens != kind.pad) & ~kind.ends(tokens) & rows[:, None]
    chance, way = (torch.rand(tokens.shape, device=tokens.device, generator=generator) for _ in range(2))
    places = free & (chance < MASKED)
    drawn = torch.randint(kind.first_drawn, kind.last_drawn, tokens.shape, device=tokens.device, generator=generator)
    given = torch.where(places & (way < AS_MASK), kind.mask, tokens)
    return torch.where(places & (way >= AS_MASK) & (way < AS_MASK + AS_RANDOM), drawn, given), places
