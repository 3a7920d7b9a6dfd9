"""Small random models on disk, and single-threaded torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from one_thread import one_thread as one_thread
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from virnucpro_tasks.embed.attention import resolve_backend
from virnucpro_tasks.embed.dnabert_s import DnabertS
from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.models.bundle import Bundle, describe_bundle

ESM2_SIZES = {"layers": 2, "width": 32, "heads": 4}
DNABERT_SIZES = {"layers": 2, "width": 48, "heads": 12, "feed_forward": 96, "vocabulary": 13}


def random_weights(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=generator)
        is_norm = "norm" in name.lower() and name.endswith("weight")
        weights[name] = 1 + 0.1 * values if is_norm else values / shape[-1] ** 0.5
    return weights


def write_model(directory: Path, sizes: dict[str, int], weights: dict[str, torch.Tensor]) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(sizes))
    save_file(weights, directory / "model.safetensors")
    return directory


@pytest.fixture
def esm2_directory(tmp_path: Path) -> Path:
    model = Esm2(**ESM2_SIZES, attention=resolve_backend("sdpa", "cpu"))
    weights = random_weights({name: tuple(value.shape) for name, value in model.named_parameters()}, seed=1)
    return write_model(tmp_path / "esm2", ESM2_SIZES, weights)


@pytest.fixture
def dnabert_directory(tmp_path: Path) -> Path:
    model = DnabertS(**DNABERT_SIZES, attention=resolve_backend("sdpa", "cpu"))
    weights = random_weights({name: tuple(value.shape) for name, value in model.named_parameters()}, seed=2)
    return write_model(tmp_path / "dnabert-s", DNABERT_SIZES, weights)


@pytest.fixture
def small_tokenizer() -> Tokenizer:
    """[UNK] [CLS] [SEP] [PAD] [MASK] A C G T AA TT GC CG, built like the published one."""
    names = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", *"ACGT", "AA", "TT", "GC", "CG"]
    merges = [("A", "A"), ("T", "T"), ("G", "C"), ("C", "G")]
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


@pytest.fixture
def bundle(tmp_path: Path, esm2_directory: Path, dnabert_directory: Path, small_tokenizer: Tokenizer) -> Bundle:
    small_tokenizer.save(str(dnabert_directory / "tokenizer.json"))
    write_model(tmp_path / "head", {}, {"unused": torch.zeros(1)})
    return describe(tmp_path)


def describe(path: Path) -> Bundle:
    return describe_bundle(
        path,
        name="test",
        demonstration=True,
        chunk_length=500,
        precision="fp32",
        nucleotide_model="random DNABERT-S",
        protein_model="random ESM-2",
        head="none",
        nucleotide_width=DNABERT_SIZES["width"],
        protein_width=ESM2_SIZES["width"],
        licences={},
    )


@pytest.fixture
def random_proteins() -> Callable[..., list[str]]:
    """`random_proteins([residues, ...], seed=0)`: proteins of the 20 standard letters."""

    def make(residues: list[int], *, seed: int = 0) -> list[str]:
        generator = torch.Generator().manual_seed(seed)
        letters = "ACDEFGHIKLMNPQRSTVWY"
        return ["".join(letters[i] for i in torch.randint(20, (n,), generator=generator)) for n in residues]

    return make
