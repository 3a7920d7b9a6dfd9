"""The reference models against values recorded from the original code, and against each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import save_file

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.errors import BackendError, BundleError
from virnucpro_tasks.models.canonical import canonical_dnabert_s, canonical_esm2
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.weights import Weights, read_weights
from virnucpro_tasks.reference.dnabert_s import ReferenceDnabertS
from virnucpro_tasks.reference.esm2 import fair_esm2, hugging_face_esm2
from virnucpro_tasks.reference.head import ReferenceHead

CPU = torch.device("cpu")


def written(folder: Path, tensors: dict[str, torch.Tensor], sizes: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(msgspec.structs.asdict(sizes)))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    return folder


def recorded(folder: Path, name: str, heads: str) -> tuple[Weights, dict[str, Any]]:
    expected = json.loads((folder / "tiny_expected.json").read_text())
    weights = read_weights(folder / name)
    return Weights(weights.path, weights.tensors, expected["config"][heads]), expected


@pytest.mark.parametrize("load", [fair_esm2, hugging_face_esm2])
def test_esm2_gives_the_recorded_vectors(shared: Path, tmp_path: Path, load: Any) -> None:
    pytest.importorskip("esm")
    pytest.importorskip("transformers")
    weights, expected = recorded(
        shared / "reference" / "esm2", "tiny_random_fair_layout.safetensors", "attention_heads"
    )
    model = load(written(tmp_path, *canonical_esm2(weights)), CPU)
    for case in expected["cases"]:
        mean = torch.tensor(case["mean_residues_last_layer"])
        assert (model.vector(case["sequence"]) - mean).abs().max() < expected["tolerance"]


def test_dnabert_s_gives_the_recorded_vectors(shared: Path, tmp_path: Path) -> None:
    folder = shared / "reference" / "dnabert-s"
    weights, expected = recorded(folder, "tiny_random.safetensors", "num_attention_heads")
    written(tmp_path, *canonical_dnabert_s(weights))
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    model = ReferenceDnabertS(tmp_path, CPU)
    for case in expected["cases"]:
        mean = torch.tensor(case["mean_all_tokens"])
        assert (model.vector(case["sequence"]) - mean).abs().max() < expected["tolerance"]


def test_a_protein_is_cut_only_where_asked_and_pooled_over_1024_residues() -> None:
    pytest.importorskip("esm")
    model = fair_esm2(demo_bundle().path / "esm2", CPU)
    protein = "MKV" * 350
    whole, cut = model.vector(protein), model.vector(protein, longest=1_022)
    assert torch.equal(cut, model.vector(protein[:1_022]))
    assert not torch.allclose(whole, cut, atol=1e-5)
    assert not torch.equal(whole, model.vector(protein[:1_030])), "residues behind the mean still have an influence"


def test_the_head_gives_the_scores_of_ours() -> None:
    nucleotide, protein = torch.randn(2, 5, 160, generator=torch.Generator().manual_seed(1))
    theirs = ReferenceHead.load(demo_bundle().path / "head").scores(nucleotide, protein)
    ours = load_head(demo_bundle()).scores(nucleotide.numpy(), protein.numpy())
    assert abs(theirs.numpy() - ours).max() < 1e-6


def test_a_head_of_another_kind_and_foreign_tensors_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"kind": "forest"}')
    with pytest.raises(BackendError, match="of the kind 'forest'"):
        ReferenceHead.load(tmp_path)
    pytest.importorskip("esm")
    (tmp_path / "config.json").write_text('{"layers": 1, "width": 8, "heads": 2}')
    save_file({"embed_tokens.weight": torch.zeros(33, 8)}, tmp_path / "model.safetensors")
    with pytest.raises(BundleError, match="not those of ESM-2"):
        fair_esm2(tmp_path, CPU)
