"""Endless batches of tokens, made by other processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training.corpus import Corpus
from training.kinds import Kind
from training.sampling import FrameSampler
from training.splits import TRAIN

Batch = tuple[Tensor, Tensor, Tensor]
"""Tokens (B, longest) int16, virus (B,) bool, taxon (B,) int64."""


@dataclass(frozen=True, slots=True)
class _Stream(IterableDataset):
    corpus: Corpus
    kind: Kind
    folder: Path
    batch: int
    seed: int

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        sampler = FrameSampler(self.corpus, TRAIN, seed=self.seed, stream=info.id if info else 0)
        tokenize = self.kind.tokenizer(self.folder)
        while True:
            frames = sampler.sample(self.batch)
            rows = self.kind.padded(tokenize(frames))
            yield torch.from_numpy(rows), torch.from_numpy(frames.virus), torch.from_numpy(frames.taxon)


def batches(corpus: Corpus, kind: Kind, folder: Path, *, batch: int, seed: int, processes: int) -> Iterator[Batch]:
    """Batches of `batch` frames; their order depends on `seed` and `processes` alone."""
    # One tokenizer a process: its own threads would fight over the cores, and it refuses them after a fork.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return iter(
        DataLoader(
            _Stream(corpus, kind, folder, batch, seed),
            batch_size=None,
            num_workers=processes,
            prefetch_factor=8 if processes else None,
            pin_memory=torch.cuda.is_available(),
        )
    )
