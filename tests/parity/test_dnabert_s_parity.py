"""Packed DNABERT-S against values recorded from the original modeling code."""

from __future__ import annotations

import json

import pytest
import torch

from virnucpro_tasks.embed.attention import resolve_backend
from virnucpro_tasks.embed.dnabert_s import DnabertS
from virnucpro_tasks.embed.pooling import segment_mean
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.tokens import NucleotideTokenizer
from virnucpro_tasks.embed.weights import parameter_shapes
from virnucpro_tasks.models.weights import Weights, read_weights


@pytest.fixture
def folder(shared):
    return shared / "reference" / "dnabert-s"


@pytest.fixture
def expected(folder):
    return json.loads((folder / "tiny_expected.json").read_text())


@pytest.fixture
def model(folder, expected, load_dnabert_s):
    weights = read_weights(folder / "tiny_random.safetensors")
    return load_dnabert_s(Weights(weights.path, weights.tensors, expected["config"]["num_attention_heads"]))


def test_recorded_states(model, expected, token_states):
    cases = expected["cases"]
    states = token_states(model, [case["ids"] for case in cases])
    for case, ours in zip(cases, states, strict=True):
        for name, part in (("cls", ours[0]), ("mean_without_cls_sep", ours[1:-1].mean(0))):
            assert (part - torch.tensor(case[name])).abs().max() < expected["tolerance"], name


def test_recorded_vectors_from_letters(model, folder, expected):
    cases = expected["cases"]
    ragged = NucleotideTokenizer.load(folder / "tokenizer.json", rows=4_096).encode(
        [case["sequence"] for case in cases]
    )
    segments = Segments.of(ragged.lengths)
    with torch.inference_mode():
        ours = segment_mean(model(torch.from_numpy(ragged.ids), segments), segments)
    reference = torch.tensor([case["mean_all_tokens"] for case in cases])
    assert (ours - reference).abs().max() < expected["tolerance"]


def test_the_published_sizes_have_the_published_tensors(folder):
    published = json.loads((folder / "state_dict_shapes.json").read_text())["shapes"]
    with torch.device("meta"):
        ours = DnabertS(
            layers=12,
            width=768,
            heads=12,
            feed_forward=3_072,
            vocabulary=4_096,
            attention=resolve_backend("sdpa", "cpu"),
        )
    shapes = {name: tuple(shape) for name, shape in published.items() if not name.startswith("pooler.")}
    assert parameter_shapes(ours) == shapes
