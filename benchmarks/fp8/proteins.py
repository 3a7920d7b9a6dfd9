"""The proteins: open frames of real chunks, by purpose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from virnucpro_tasks.embed.tokens import RESIDUES
from virnucpro_tasks.reads.batches import ReadInput, frame_batches

CHUNK_BASES = 500
SEED = 5
HEAD_PROTEINS = 1_200

Frames = dict[str, list[tuple[int, str]]]


def chosen_frames(file: Path, chunk_bases: int = CHUNK_BASES) -> Frames:
    """Record number and protein of the open frames, by purpose: a record serves one purpose only."""
    frames: Frames = {"test": [], "head": [], "calibration": []}
    for batch in frame_batches([ReadInput(file, file.name)], chunk_length=chunk_bases):
        columns = (batch.frames[name].to_pylist() for name in ("record_ordinal", "protein"))
        for record, protein in zip(*columns, strict=True):
            frames[("test", "head", "calibration", "head")[record % 4]].append((record, protein))
    random = np.random.default_rng(SEED)
    for of in frames.values():
        random.shuffle(of)
    return frames


def take(frames: Sequence[Frames], purpose: str, count: int) -> tuple[list[str], Tensor, Tensor]:
    """Proteins, labels and records; the two files in equal parts."""
    proteins, labels, records = [], [], []
    for label, of in zip((1, 0), frames, strict=True):
        for record, protein in of[purpose][: count // 2]:
            proteins.append(protein)
            labels.append(label)
            records.append(2 * record + label)
    return proteins, torch.tensor(labels).float(), torch.tensor(records)


def random_proteins(count: int) -> list[str]:
    letters = np.array(list(RESIDUES[:20]))
    return ["".join(row) for row in np.random.default_rng(SEED).choice(letters, (count, CHUNK_BASES // 3))]
