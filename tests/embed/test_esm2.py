from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.tokens import tokenize_proteins
from virnucpro_tasks.errors import BundleError


def states_of(model, proteins):
    ragged = tokenize_proteins(proteins)
    with torch.inference_mode():
        states = model(torch.from_numpy(ragged.ids), Segments.of(ragged.lengths))
    return states.split(ragged.lengths.tolist())


def test_a_sequence_does_not_see_its_neighbours(esm2_directory, random_proteins):
    model = Esm2.load(esm2_directory, device="cpu", dtype=torch.float32)
    target, *others = random_proteins([40, 40, 7, 90, 40, 1, 333])
    alone = states_of(model, [target])[0]
    for neighbours in ([others[0]], others, others[::-1]):
        for place in range(len(neighbours) + 1):
            pack = [*neighbours[:place], target, *neighbours[place:]]
            # Another number of rows lets the matrix product add in another order: rounding, not cross-talk.
            torch.testing.assert_close(states_of(model, pack)[place], alone, atol=1e-5, rtol=0)


def test_a_neighbour_of_nan_is_untouched(esm2_directory):
    model = Esm2.load(esm2_directory, device="cpu", dtype=torch.float32)
    clean = states_of(model, ["MKLA", "MKLC"])
    model.embed_tokens.weight[23] = torch.nan  # C
    poisoned = states_of(model, ["MKLA", "MKLC"])
    assert poisoned[1].isnan().any()
    torch.testing.assert_close(poisoned[0], clean[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_frequencies_stay_in_fp32(esm2_directory, dtype):
    model = Esm2.load(esm2_directory, device="cpu", dtype=dtype)
    assert model.inv_freq.dtype == torch.float32
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}


def test_frequencies_of_the_file_are_used(esm2_directory):
    exact = Esm2.load(esm2_directory, device="cpu", dtype=torch.float32).inv_freq
    file = esm2_directory / "model.safetensors"
    rounded = exact.half().float()
    stored = {f"layers.{layer}.self_attn.rot_emb.inv_freq": rounded.clone() for layer in range(2)}
    save_file(load_file(file) | stored, file)
    assert torch.equal(Esm2.load(esm2_directory, device="cpu", dtype=torch.float32).inv_freq, rounded)
    assert not torch.equal(exact, rounded)

    save_file(load_file(file) | {"layers.1.self_attn.rot_emb.inv_freq": exact.clone()}, file)
    with pytest.raises(BundleError, match="different rotary frequencies"):
        Esm2.load(esm2_directory, device="cpu", dtype=torch.float32)


@pytest.mark.parametrize("heads", [3, 32])
def test_heads_that_do_not_divide_the_width_are_refused(esm2_directory, heads):
    (esm2_directory / "config.json").write_text(json.dumps({"layers": 2, "width": 32, "heads": heads}))
    with pytest.raises(BundleError, match="width / heads"):
        Esm2.load(esm2_directory, device="cpu", dtype=torch.float32)
