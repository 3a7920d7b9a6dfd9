"""One model over many sequences: pack, run, pool, check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from virnucpro_tasks.embed.attention import AttentionBackend
from virnucpro_tasks.embed.packing import Pack, pack_lengths, token_fill
from virnucpro_tasks.embed.pooling import segment_mean
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.tokens import RaggedTokens
from virnucpro_tasks.errors import VirnucproError


class PackedModel(Protocol):
    """What the two models have in common."""

    width: int
    attention: AttentionBackend

    def __call__(self, tokens: Tensor, segments: Segments) -> Tensor: ...


class EmbeddingStopped(Exception):
    """`should_stop` said so before a pack; nothing was returned."""


class NonFiniteError(VirnucproError):
    """A vector is NaN or infinite even in FP32. `indices` are the places of those sequences in the list given."""

    def __init__(self, model: str, indices: list[int]) -> None:
        super().__init__(
            f"{model} gives NaN or infinity in FP32 for sequences {', '.join(map(str, indices))}",
            hint="verify the model bundle",
        )
        self.model = model
        self.indices = indices


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What one model did for one list of sequences. `token_fill` is 0 to 1, over all packs."""

    model: str
    attention: str
    sequences: int
    tokens: int
    packs: int
    token_fill: float
    recomputed_packs: int


class Encoder:
    """A model with its pooling rule and its guard against NaN and infinity.

    `load_exact` loads the same model in FP32, or is None if `model` is already so; it is called once, when the first
    pack needs it, and the model is kept.
    """

    def __init__(
        self,
        name: str,
        model: PackedModel,
        *,
        load_exact: Callable[[], PackedModel] | None,
        device: torch.device,
        token_budget: int,
        skip_first: int,
        skip_last: int,
    ) -> None:
        self.name = name
        self.width = model.width
        self.attention = model.attention.name
        self._model = model
        self._load_exact = load_exact
        self._exact: PackedModel | None = None
        self._device = device
        self._token_budget = token_budget
        self._skip_first = skip_first
        self._skip_last = skip_last

    @torch.inference_mode()
    def encode(
        self, tokens: RaggedTokens, *, should_stop: Callable[[], bool]
    ) -> tuple[NDArray[np.float32], ModelReport]:
        """Pooled vectors, (S, width) float32 in the order of `tokens`, and what was done.

        `should_stop` is asked before every pack. Raises EmbeddingStopped and NonFiniteError.
        """
        packs = pack_lengths(tokens.lengths, token_budget=self._token_budget)
        vectors = np.empty((tokens.lengths.size, self.width), dtype=np.float32)
        recomputed = 0
        for pack in packs:
            if should_stop():
                raise EmbeddingStopped
            pooled = self._run(self._model, tokens, pack)
            if not np.isfinite(pooled).all():
                pooled = self._recompute(tokens, pack, pooled)
                recomputed += 1
            vectors[pack.indices] = pooled
        return vectors, ModelReport(
            model=self.name,
            attention=self.attention,
            sequences=tokens.lengths.size,
            tokens=int(tokens.lengths.sum()),
            packs=len(packs),
            token_fill=token_fill(packs, token_budget=self._token_budget),
            recomputed_packs=recomputed,
        )

    def _run(self, model: PackedModel, tokens: RaggedTokens, pack: Pack) -> NDArray[np.float32]:
        segments = Segments.of(tokens.lengths[pack.indices], device=self._device)
        ids = torch.from_numpy(tokens.select(pack.indices)).to(self._device)
        states = model(ids, segments)
        pooled = segment_mean(states, segments, skip_first=self._skip_first, skip_last=self._skip_last)
        # The only read from the device: the finite check is made on what is fetched anyway. A mean is finite only
        # if every state in it is.
        return pooled.cpu().numpy()

    def _recompute(self, tokens: RaggedTokens, pack: Pack, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._load_exact is not None:
            if self._exact is None:
                self._exact = self._load_exact()
            pooled = self._run(self._exact, tokens, pack)
        bad = ~np.isfinite(pooled).all(axis=1)
        if bad.any():
            raise NonFiniteError(self.name, sorted(pack.indices[bad].tolist()))
        return pooled
