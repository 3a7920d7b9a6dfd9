"""Padded training passes against the packed inference passes of the same modules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.forward import ESM2_MASK
from training.kinds import KINDS, dnabert_s_kind, esm2_kind, initialised
from training.learner import Learner, hidden
from virnucpro_tasks.embed.pooling import segment_mean
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.tokens import RaggedTokens, tokenize_proteins
from virnucpro_tasks.models.sizes import DnabertSizes, Esm2Sizes

SMALL = {
    "esm2": esm2_kind(Esm2Sizes(layers=2, width=48, heads=3)),
    "dnabert-s": dnabert_s_kind(DnabertSizes(layers=2, width=48, heads=3, feed_forward=96, vocabulary=64)),
}
TAXA = 5


def learner_of(name: str) -> Learner:
    learner = Learner(SMALL[name], TAXA, seed=4)
    for parameter in learner.parameters():
        # Fresh weights are so small that a wrong place would hardly show.
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(parameter.numel()))
    return learner.eval()


def tokens_of(name: str) -> RaggedTokens:
    random = np.random.default_rng(5)
    kind = SMALL[name]
    first, last = (0, 2) if name == "esm2" else (1, 2)
    lengths = np.array([9, 31, 31, 60, 3])
    rows = [
        np.concatenate([[first], random.integers(kind.first_drawn, kind.last_drawn, length - 2), [last]])
        for length in lengths
    ]
    return RaggedTokens(np.concatenate(rows).astype(np.int64), lengths)


@pytest.mark.parametrize("name", SMALL)
@torch.inference_mode()
def test_mean_vectors_are_those_of_inference(name):
    learner, tokens = learner_of(name), tokens_of(name)
    _, padded = learner(torch.from_numpy(SMALL[name].padded(tokens)).long())
    segments = Segments.of(tokens.lengths)
    ends = 0 if name == "dnabert-s" else 1
    states = learner.encoder(torch.from_numpy(tokens.ids), segments)
    packed = segment_mean(states, segments, skip_first=ends, skip_last=ends)
    assert ((padded - packed).norm(dim=1) / packed.norm(dim=1)).max() < 1e-5


@torch.inference_mode()
def test_masked_residues_are_blanked_and_the_rest_scaled_as_in_fair_esm():
    esm = pytest.importorskip("esm")
    learner = learner_of("esm2")
    sizes = SMALL["esm2"].sizes
    reference = esm.model.esm2.ESM2(num_layers=sizes.layers, embed_dim=sizes.width, attention_heads=sizes.heads).eval()
    reference.load_state_dict(learner.encoder.state_dict(), strict=False)
    tokens = torch.from_numpy(SMALL["esm2"].padded(tokens_of("esm2"))).long()
    tokens[1, 4] = tokens[1, 7] = tokens[3, 20] = ESM2_MASK
    states, _ = learner(tokens)
    expected = reference(tokens, repr_layers=[sizes.layers])["representations"][sizes.layers]
    present = tokens != SMALL["esm2"].pad
    assert (states - expected)[present].norm() / expected[present].norm() < 1e-5


def test_a_longer_sequence_is_cut_and_keeps_its_last_token():
    kind = SMALL["esm2"]
    rows = kind.padded(tokenize_proteins(["M" * 400, "MA"]))
    assert rows.shape == (2, kind.longest)
    assert rows[0, -1] == rows[1, 3] == 2
    assert rows[1, 4] == kind.pad


@pytest.mark.parametrize("name", SMALL)
def test_what_is_hidden(name):
    kind = SMALL[name]
    tokens = torch.full((4000, kind.longest), kind.first_drawn)
    tokens[:, 0], tokens[:, 100], tokens[:, 101:] = (0 if name == "esm2" else 1), 2, kind.pad
    rows = torch.arange(4000) < 2000
    given, places = hidden(tokens, kind, rows, torch.Generator().manual_seed(6))
    assert not places[:, [0, *range(100, kind.longest)]].any()
    assert not places[2000:].any()
    assert torch.equal(given[~places], tokens[~places])
    assert abs(places[:2000, 1:100].float().mean() - 0.15) < 0.01
    assert abs((given[places] == kind.mask).float().mean() - 0.8) < 0.02


@pytest.mark.parametrize("name", SMALL)
def test_the_second_part_alone_moves_the_encoder_by_labels(name):
    learner = learner_of(name)
    tokens = torch.from_numpy(SMALL[name].padded(tokens_of(name))).long()
    places = torch.zeros_like(tokens, dtype=torch.bool)
    places[3, 5] = True
    labels = torch.tensor([True, False, True, False, True]), torch.arange(TAXA)
    moved = {}
    for teach in (False, True):
        learner.zero_grad()
        learner.losses(tokens, tokens, places, *labels, dropout=0.0, teach=teach).virus.backward()
        moved[teach] = learner.encoder.get_parameter(SMALL[name].embedding).grad is not None
        assert learner.virus.weight.grad is not None
    assert moved == {False: False, True: True}


def test_the_shipped_sizes_fit_in_a_few_megabytes():
    numbers = sum(value.numel() for kind in KINDS.values() for value in kind.model().parameters())
    assert numbers * 2 < 8e6


def test_fresh_weights_depend_on_the_seed_alone():
    one, same, other = (initialised(SMALL["esm2"].model(), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.embed_tokens.weight, same.embed_tokens.weight)
    assert not torch.equal(one.embed_tokens.weight, other.embed_tokens.weight)


def test_nothing_of_the_training_is_in_the_package():
    package = Path(__file__).parents[2] / "virnucpro_tasks"
    assert not any(
        "import training" in file.read_text() or "from training" in file.read_text() for file in package.rglob("*.py")
    )
