"""The two encoders of the demonstration: their sizes, their tokens, and how each is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.corpus import TOKENIZER_FILE
from training.forward import ESM2_MASK, ESM2_PAD, dnabert_s_states, esm2_states
from training.sampling import Frames
from virnucpro_tasks.embed.attention import resolve_backend
from virnucpro_tasks.embed.dnabert_s import DnabertS
from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.tokens import (
    CLS_ID,
    EOS_ID,
    FIRST_RESIDUE_ID,
    NucleotideTokenizer,
    RaggedTokens,
    tokenize_proteins,
)
from virnucpro_tasks.models.sizes import ESM2_VOCABULARY, DnabertSizes, Esm2Sizes

STANDARD_RESIDUES = 20
SPECIAL_NUCLEOTIDE_TOKENS = 5

Tokenize = Callable[[Frames], RaggedTokens]


@dataclass(frozen=True, slots=True)
class Kind:
    """What the training loop must know of an encoder.

    Ids from `first_drawn` to `last_drawn` (exclusive) stand in for a masked token at random; `longest` is the padded
    length (tokens); `ends_count` tells whether the first and last token belong to the mean vector; `rate` is the
    highest learning rate; `embedding` the name of the embedding's weights.
    """

    name: str
    sizes: Esm2Sizes | DnabertSizes
    vocabulary: int
    pad: int
    mask: int
    first_drawn: int
    last_drawn: int
    longest: int
    ends_count: bool
    rate: float
    embedding: str
    states: Callable[..., Tensor]

    def model(self) -> nn.Module:
        """The package's own module with fresh weights."""
        module = {"esm2": Esm2, "dnabert-s": DnabertS}[self.name]
        return module(**msgspec.structs.asdict(self.sizes), attention=resolve_backend("sdpa", "cpu"))

    def tokenizer(self, folder: Path) -> Tokenize:
        """Frames to the tokens of this encoder."""
        if self.name == "esm2":
            return lambda frames: tokenize_proteins(frames.proteins)
        words = NucleotideTokenizer.load(folder / TOKENIZER_FILE, rows=self.vocabulary)
        return lambda frames: words.encode(frames.nucleotides)

    def padded(self, tokens: RaggedTokens) -> NDArray[np.int16]:
        """(B, longest) int16, cut or filled with padding. A cut sequence keeps its last token."""
        rows = np.full((len(tokens.lengths), self.longest), self.pad, np.int16)
        ends = np.cumsum(tokens.lengths)
        for row, length, end in zip(rows, tokens.lengths.tolist(), ends.tolist(), strict=True):
            kept = min(length, self.longest)
            row[:kept] = tokens.ids[end - length : end - length + kept]
            row[kept - 1] = tokens.ids[end - 1]
        return rows

    def ends(self, tokens: Tensor) -> Tensor:
        """(B, L) bool: first and last tokens."""
        first, last = (CLS_ID, EOS_ID) if self.name == "esm2" else (1, 2)
        return (tokens == first) | (tokens == last)


def esm2_kind(sizes: Esm2Sizes) -> Kind:
    return Kind(
        name="esm2",
        sizes=sizes,
        vocabulary=ESM2_VOCABULARY,
        pad=ESM2_PAD,
        mask=ESM2_MASK,
        first_drawn=FIRST_RESIDUE_ID,
        last_drawn=FIRST_RESIDUE_ID + STANDARD_RESIDUES,
        longest=168,
        ends_count=False,
        rate=1.5e-3,
        embedding="embed_tokens.weight",
        states=esm2_states,
    )


def dnabert_s_kind(sizes: DnabertSizes) -> Kind:
    return Kind(
        name="dnabert-s",
        sizes=sizes,
        vocabulary=sizes.vocabulary,
        pad=3,
        mask=4,
        first_drawn=SPECIAL_NUCLEOTIDE_TOKENS,
        last_drawn=sizes.vocabulary,
        longest=160,
        ends_count=True,
        rate=1e-3,
        embedding="embeddings.word_embeddings.weight",
        states=dnabert_s_states,
    )


KINDS: dict[str, Kind] = {
    "esm2": esm2_kind(Esm2Sizes(layers=6, width=160, heads=5)),
    "dnabert-s": dnabert_s_kind(DnabertSizes(layers=4, width=160, heads=5, feed_forward=320, vocabulary=1024)),
}
"""6 MB together in FP16."""


def initialised(model: nn.Module, *, seed: int) -> nn.Module:
    """Weights as BERT has them: normal with 0.02, norms at one and zero, zero biases."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        value: Any = parameter.data
        if parameter.dim() > 1:
            value.normal_(0.0, 0.02, generator=generator)
        elif "norm" in name.lower() and name.endswith("weight"):
            value.fill_(1.0)
        else:
            value.zero_()
    return model
