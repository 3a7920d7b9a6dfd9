from __future__ import annotations

import json

import pytest
import torch

from virnucpro_tasks.embed.dnabert_s import DnabertS
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.errors import BackendError, BundleError


def states_of(model, sequences):
    lengths = [len(sequence) for sequence in sequences]
    with torch.inference_mode():
        return model(torch.cat(sequences), Segments.of(lengths)).split(lengths)


def test_a_sequence_does_not_see_its_neighbours(dnabert_directory):
    model = DnabertS.load(dnabert_directory, device="cpu", dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    target, *others = (torch.randint(13, (n,), generator=generator) for n in (60, 60, 2, 700, 60, 119))
    alone = states_of(model, [target])[0]
    for neighbours in ([others[0]], others, others[::-1]):
        for place in range(len(neighbours) + 1):
            pack = [*neighbours[:place], target, *neighbours[place:]]
            # Another number of rows lets the matrix product add in another order: rounding, not cross-talk.
            torch.testing.assert_close(states_of(model, pack)[place], alone, atol=1e-5, rtol=0)


def test_order_matters(dnabert_directory):
    model = DnabertS.load(dnabert_directory, device="cpu", dtype=torch.float32)
    forward, swapped = states_of(model, [torch.tensor([1, 5, 6, 7, 2]), torch.tensor([1, 6, 5, 7, 2])])
    assert (forward[3] - swapped[3]).abs().max() > 1e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_slopes_stay_in_fp32(dnabert_directory, dtype):
    model = DnabertS.load(dnabert_directory, device="cpu", dtype=dtype)
    assert model.slopes.dtype == torch.float32
    assert states_of(model, [torch.tensor([1, 5, 2])])[0].dtype == dtype


def test_a_backend_without_bias_is_refused(dnabert_directory):
    with pytest.raises(BackendError):
        DnabertS.load(dnabert_directory, device="cpu", dtype=torch.float32, attention="torch")


def test_heads_that_do_not_divide_the_width_are_refused(dnabert_directory):
    sizes = json.loads((dnabert_directory / "config.json").read_text()) | {"heads": 7}
    (dnabert_directory / "config.json").write_text(json.dumps(sizes))
    with pytest.raises(BundleError, match="multiple of heads"):
        DnabertS.load(dnabert_directory, device="cpu", dtype=torch.float32)
