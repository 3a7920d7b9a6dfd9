"""Embedding of many sequences by one model: pack, run, pool, and check for NaN and infinity."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from virnucpro_tasks.embed.attention import AttentionBackend
from virnucpro_tasks.embed.budget import pack_budget
from virnucpro_tasks.embed.packing import Pack, capacity, pack_lengths
from virnucpro_tasks.embed.pooling import segment_mean
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.tokens import FIRST_RESIDUE_ID, RaggedTokens
from virnucpro_tasks.embed.transfer import PendingCopy, to_device
from virnucpro_tasks.errors import VirnucproError
from virnucpro_tasks.shards.engine_stats import EngineStats

TRIAL_LENGTH = 128
"""Tokens of each sequence of a trial pack."""

INDICES_SHOWN = 10


class PackedModel(Protocol):
    """The interface of both models, in all their forms."""

    width: int
    attention: AttentionBackend

    def __call__(self, tokens: Tensor, segments: Segments) -> Tensor: ...


class DeviceMemoryError(VirnucproError):
    """A single sequence does not fit into the device's memory; `tokens` is its length."""

    def __init__(self, model: str, tokens: int) -> None:
        super().__init__(
            f"{model} has no memory on the device for one sequence of {tokens} tokens", hint="use a larger device"
        )
        self.model = model
        self.tokens = tokens


class EmbeddingStopped(Exception):
    """`should_stop` returned True before a pack; no vectors are returned."""


class NonFiniteError(VirnucproError):
    """Vectors are NaN or infinite even in FP32; `indices` are those of all such sequences in the given list."""

    def __init__(self, model: str, indices: list[int]) -> None:
        super().__init__(
            f"{model} gives NaN or infinity in FP32 for sequences {_some(indices)}",
            hint="verify the model bundle",
        )
        self.model = model
        self.indices = indices


class Encoder:
    """A model with its pooling rule; a pack with NaN or infinity in its vectors is computed again in FP32.

    `load_fp32` loads the model in FP32, or is None if `model` is in FP32 already; it is called once, for the first pack
    that needs it. A `token_budget` of None is measured, see `pack_budget`. The tokens to skip and the most to pool are
    those of `segment_mean`.
    """

    def __init__(
        self,
        name: str,
        model: PackedModel,
        *,
        load_fp32: Callable[[], PackedModel] | None,
        device: torch.device,
        token_budget: int | None,
        skip_first: int,
        skip_last: int,
        most_pooled: int | None = None,
    ) -> None:
        self.name = name
        self.width = model.width
        self.attention = model.attention.name
        self._model = model
        self._load_fp32 = load_fp32
        self._fp32_model: PackedModel | None = None
        self._device = device
        self._skip_first = skip_first
        self._skip_last = skip_last
        self._most_pooled = most_pooled
        self.token_budget = token_budget if token_budget is not None else pack_budget(self._try, device)

    @torch.inference_mode()
    def encode(
        self,
        tokens: RaggedTokens,
        *,
        should_stop: Callable[[], bool],
        tell_share: Callable[[float], None] | None = None,
    ) -> tuple[NDArray[np.float32], EngineStats]:
        """Pooled vectors, (S, width) float32 in the order of `tokens`, and the counters.

        `should_stop` is asked before every pack. A pack that does not fit into the device's memory is halved, and so
        is the budget of later packs. `tell_share` is called after every pack with the share of the tokens that are
        done. Raises EmbeddingStopped, NonFiniteError and DeviceMemoryError.
        """
        packs = deque(pack_lengths(tokens.lengths, token_budget=self.token_budget))
        vectors = np.empty((tokens.lengths.size, self.width), dtype=np.float32)
        budget, recomputed, out_of_memory = self.token_budget, 0, 0
        tokens_total, tokens_done = int(tokens.lengths.sum()), 0
        computing: tuple[Pack, PendingCopy] | None = None
        done: list[Pack] = []
        non_finite: list[int] = []
        while packs or computing:
            started = None
            if packs:
                if should_stop():
                    raise EmbeddingStopped
                pack = packs.popleft()
                try:
                    started = pack, self._run(self._model, tokens, pack)
                except torch.OutOfMemoryError:
                    out_of_memory += 1
                    packs.extendleft(reversed(self._halves(tokens, pack)))
            if computing is not None:
                # One pack behind: the device computes the next one while this one is copied and checked.
                pack, copy = computing
                pooled = copy.numpy()
                if not np.isfinite(pooled).all():
                    pooled = self._recompute(tokens, pack, pooled)
                    recomputed += 1
                    non_finite += pack.indices[~np.isfinite(pooled).all(axis=1)].tolist()
                vectors[pack.indices] = pooled
                done.append(pack)
                tokens_done += pack.tokens
                if tell_share is not None:
                    tell_share(tokens_done / tokens_total)
            computing = started
        if non_finite:
            raise NonFiniteError(self.name, sorted(non_finite))
        return vectors, EngineStats(
            packs=len(done),
            recomputed_packs=recomputed,
            out_of_memory=out_of_memory,
            tokens=tokens_total,
            capacity=capacity(done, token_budget=budget),
            attention={self.name: self.attention},
        )

    @torch.inference_mode()
    def _try(self, tokens: int) -> None:
        """Run the model on a pack of `tokens` arbitrary tokens."""
        lengths = np.full(tokens // TRIAL_LENGTH, TRIAL_LENGTH, dtype=np.int64)
        trial = RaggedTokens(np.full(lengths.sum(), FIRST_RESIDUE_ID, dtype=np.int64), lengths)
        self._run(self._model, trial, Pack(np.arange(lengths.size), int(lengths.sum()))).numpy()

    def _run(self, model: PackedModel, tokens: RaggedTokens, pack: Pack) -> PendingCopy:
        segments = Segments.of(tokens.lengths[pack.indices], device=self._device)
        states = model(to_device(tokens.select(pack.indices), self._device), segments)
        # The finite check is made on the pooled vectors, which are fetched anyway: a mean is finite only if every
        # state in it is.
        pooled = segment_mean(
            states, segments, skip_first=self._skip_first, skip_last=self._skip_last, most=self._most_pooled
        )
        return PendingCopy.of(pooled)

    def _halves(self, tokens: RaggedTokens, pack: Pack) -> list[Pack]:
        """Halve a pack that did not fit, and the budget too. Raises DeviceMemoryError for a single sequence."""
        if len(pack.indices) == 1:
            raise DeviceMemoryError(self.name, pack.tokens)
        torch.cuda.empty_cache()
        self.token_budget = max(1, self.token_budget // 2)
        middle = len(pack.indices) // 2
        return [Pack(part, int(tokens.lengths[part].sum())) for part in np.split(pack.indices, [middle])]

    def _recompute(self, tokens: RaggedTokens, pack: Pack, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._load_fp32 is not None:
            if self._fp32_model is None:
                self._fp32_model = self._load_fp32()
            pooled = self._run(self._fp32_model, tokens, pack).numpy()
        return pooled


def _some(indices: list[int]) -> str:
    more = len(indices) - INDICES_SHOWN
    return ", ".join(map(str, indices[:INDICES_SHOWN])) + (f" and {more} more" if more > 0 else "")
