"""Published weights loaded by this package, vectors computed with them, and the distance between vectors."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from one_thread import one_thread as one_thread
from safetensors.torch import save_file

from virnucpro_tasks.embed.dnabert_s import DnabertS
from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.pooling import segment_mean
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.tokens import RaggedTokens, tokenize_proteins
from virnucpro_tasks.models.canonical import canonical_dnabert_s, canonical_esm2
from virnucpro_tasks.models.weights import Weights


def _write(directory: Path, tensors: dict[str, torch.Tensor], sizes: object) -> Path:
    (directory / "config.json").write_text(json.dumps(msgspec.structs.asdict(sizes)))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, directory / "model.safetensors")
    return directory


@pytest.fixture
def load_esm2(tmp_path: Path) -> Callable[..., Esm2]:
    """Convert and load an ESM-2, by default in FP32."""

    def load(weights: Weights, *, dtype: torch.dtype = torch.float32) -> Esm2:
        return Esm2.load(_write(tmp_path, *canonical_esm2(weights)), device="cpu", dtype=dtype)

    return load


@pytest.fixture
def load_dnabert_s(tmp_path: Path) -> Callable[[Weights], DnabertS]:
    """Convert and load a DNABERT-S in FP32."""

    def load(weights: Weights) -> DnabertS:
        return DnabertS.load(_write(tmp_path, *canonical_dnabert_s(weights)), device="cpu", dtype=torch.float32)

    return load


@pytest.fixture
def protein_vectors() -> Callable[[Esm2, Sequence[str]], torch.Tensor]:
    """Pooled vectors (means over residues) of proteins computed in one pack."""

    def vectors(model: Esm2, proteins: Sequence[str]) -> torch.Tensor:
        ragged = tokenize_proteins(proteins)
        segments = Segments.of(ragged.lengths)
        with torch.inference_mode():
            states = model(torch.from_numpy(ragged.ids), segments)
            return segment_mean(states, segments, skip_first=1, skip_last=1)

    return vectors


@pytest.fixture
def token_states() -> Callable[[torch.nn.Module, Sequence[Sequence[int]]], list[torch.Tensor]]:
    """Token states of sequences of ids computed in one pack."""

    def states(model: torch.nn.Module, sequences: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        lengths = np.array([len(sequence) for sequence in sequences])
        ragged = RaggedTokens(np.array([token for sequence in sequences for token in sequence]), lengths)
        with torch.inference_mode():
            packed = model(torch.from_numpy(ragged.ids), Segments.of(ragged.lengths))
        return list(packed.split(lengths.tolist()))

    return states


@pytest.fixture
def relative_distance() -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """For each row, the L2 norm of the difference over the L2 norm of the reference.

    Components are not compared one by one: near zero they have no relative accuracy in any implementation, and the
    first layer of the classifier is linear in the whole vector, so the norm bounds the relative change of its input.
    """

    def distance(vectors: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        return (vectors - reference).norm(dim=1) / reference.norm(dim=1)

    return distance


@pytest.fixture(scope="session")
def proteins() -> list[str]:
    """Proteins of 1 to 1,022 residues with all letters of the alphabet."""
    generator = torch.Generator().manual_seed(11)
    letters = "LAGVSERTIDPKQNFYMHWCXBUZO.-"
    residues = [50, 1, 50, 1_022, 49, 166, 2, 50, 333, 166, 7, 1_021, 49]
    return ["".join(letters[i] for i in torch.randint(len(letters), (n,), generator=generator)) for n in residues]
