"""Packed ESM-2 against fair-esm and Hugging Face, in FP32 on the CPU: parts, layer, model, pooled vector."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from virnucpro_tasks.embed.attention import resolve_backend
from virnucpro_tasks.embed.rotary import apply_rotary, inverse_frequencies, rotary_table
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.models.weights import Weights, read_weights

SHAPES = [(2, 40, 4), (3, 64, 2), (2, 96, 12), (2, 320, 20), (1, 128, 1)]  # layers, width, heads

#: See `relative_distance` for the norm.
POOLED_TOLERANCE = 1e-5


@pytest.fixture(params=SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def fair(request):
    esm = pytest.importorskip("esm")
    layers, width, heads = request.param
    torch.manual_seed(layers * width * heads)
    model = esm.model.esm2.ESM2(num_layers=layers, embed_dim=width, attention_heads=heads)
    for name, parameter in model.named_parameters():
        # Norms as they are initialised (1 and 0) would hide a swapped or forgotten one.
        if "norm" in name:
            torch.nn.init.normal_(parameter, mean=float(name.endswith("weight")), std=0.2)
    return model.eval()


def fair_weights(model):
    return Weights(Path("fair-esm"), model.state_dict(), model.attention_heads)


@torch.inference_mode()
def fair_vectors(model, proteins):
    """One protein per call, so that neither padding nor the batch has an effect."""
    alphabet, last = model.alphabet, model.num_layers
    vectors = []
    for protein in proteins:
        ids = torch.tensor([[alphabet.cls_idx, *alphabet.encode(protein), alphabet.eos_idx]])
        states = model(ids, repr_layers=[last])["representations"][last][0]
        vectors.append(states[1:-1].mean(0))
    return torch.stack(vectors)


def test_pooled_vectors_are_those_of_fair_esm(fair, load_esm2, protein_vectors, relative_distance, proteins):
    ours = protein_vectors(load_esm2(fair_weights(fair)), proteins)
    assert relative_distance(ours, fair_vectors(fair, proteins)).max() < POOLED_TOLERANCE


@pytest.mark.parametrize(("layers", "width", "heads"), SHAPES)
def test_pooled_vectors_are_those_of_hugging_face(
    layers, width, heads, load_esm2, protein_vectors, relative_distance, proteins
):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(layers * width * heads)
    configuration = transformers.EsmConfig(
        vocab_size=33,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        layer_norm_eps=1e-5,
        pad_token_id=1,
        mask_token_id=32,
        max_position_embeddings=1_026,
    )
    theirs = transformers.EsmModel(configuration, add_pooling_layer=False).eval()
    ours = load_esm2(Weights(Path("hugging-face"), theirs.state_dict(), heads))
    fair_alphabet = pytest.importorskip("esm").data.Alphabet.from_architecture("ESM-1b")
    reference = []
    with torch.inference_mode():
        for protein in proteins:
            ids = torch.tensor([[0, *fair_alphabet.encode(protein), 2]])
            states = theirs(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
            reference.append(states[1:-1].mean(0))
    distance = relative_distance(protein_vectors(ours, proteins), torch.stack(reference))
    assert distance.max() < POOLED_TOLERANCE


def test_one_layer_is_that_of_fair_esm(fair, load_esm2):
    ours = load_esm2(fair_weights(fair)).layers[0]
    segments = Segments.of([30, 30, 17])
    width = fair.embed_dim
    states = torch.randn(77, width, generator=torch.Generator().manual_seed(1))
    table = rotary_table(segments.positions, inverse_frequencies(width // fair.attention_heads))
    with torch.inference_mode():
        packed = ours(states, segments, table, resolve_backend("sdpa", "cpu"))
        alone = [fair.layers[0](part[:, None])[0][:, 0] for part in states.split([30, 30, 17])]
    torch.testing.assert_close(packed, torch.cat(alone), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("head_dim", [10, 16, 24, 64])
def test_rotary_is_that_of_fair_esm(head_dim):
    rotary = pytest.importorskip("esm").rotary_embedding.RotaryEmbedding(head_dim)
    heads = torch.randn(3, 400, head_dim, generator=torch.Generator().manual_seed(2))
    expected, _ = rotary(heads, heads)
    turned = apply_rotary(heads.transpose(0, 1), rotary_table(torch.arange(400), inverse_frequencies(head_dim)))
    torch.testing.assert_close(turned.transpose(0, 1), expected, atol=1e-6, rtol=1e-5)


@pytest.fixture
def tiny(shared):
    folder = shared / "reference" / "esm2"
    expected = json.loads((folder / "tiny_expected.json").read_text())
    heads = expected["config"]["attention_heads"]
    weights = read_weights(folder / "tiny_random_fair_layout.safetensors")
    return Weights(weights.path, weights.tensors, heads), expected


def test_recorded_vectors_of_the_tiny_model(tiny, load_esm2, protein_vectors):
    weights, expected = tiny
    ours = protein_vectors(load_esm2(weights), [case["sequence"] for case in expected["cases"]])
    reference = torch.tensor([case["mean_residues_last_layer"] for case in expected["cases"]])
    assert (ours - reference).abs().max() < expected["tolerance"]
    wrong = torch.tensor(expected["wrong_if_0.88_scale_forgotten"])
    assert (ours[0] - wrong).abs().max() > 100 * expected["tolerance"]


def test_recorded_embedding_of_the_first_token(tiny, load_esm2):
    weights, expected = tiny
    model = load_esm2(weights)
    first = []
    model.layers[0].register_forward_pre_hook(lambda _, inputs: first.append(inputs[0][0]))
    with torch.inference_mode():
        model(torch.tensor(expected["cases"][0]["ids"]), Segments.of([len(expected["cases"][0]["ids"])]))
    reference = torch.tensor(expected["cases"][0]["layer0_first_token"])
    assert (first[0] - reference).abs().max() < expected["tolerance"]
