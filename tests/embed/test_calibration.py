from __future__ import annotations

import torch

from virnucpro_tasks.embed.attention import resolve_backend
from virnucpro_tasks.embed.calibration import input_means, zero_means
from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.segments import Segments


def model() -> Esm2:
    torch.manual_seed(0)
    return Esm2(layers=2, width=32, heads=4, attention=resolve_backend("sdpa", "cpu")).requires_grad_(False).eval()


def pack(*lengths: int) -> tuple[torch.Tensor, Segments]:
    return torch.randint(4, 24, (sum(lengths),)), Segments.of(lengths)


def test_means_are_over_all_tokens_of_all_packs() -> None:
    esm2 = model()
    packs = [pack(5, 9), pack(30)]
    seen: list[torch.Tensor] = []
    with torch.inference_mode():
        hook = esm2.layers[1].fc2.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        for tokens, segments in packs:
            esm2(tokens, segments)
        hook.remove()
    means = input_means(esm2, packs)
    torch.testing.assert_close(means[1]["fc2"], torch.cat(seen).mean(0))
    assert [set(of) for of in means] == [{"qkv", "out", "fc1", "fc2"}] * 2
    assert {name: len(mean) for name, mean in means[0].items()} == {"qkv": 32, "out": 32, "fc1": 32, "fc2": 128}


def test_the_model_is_left_without_hooks() -> None:
    esm2 = model()
    input_means(esm2, [pack(4)])
    assert not any(module._forward_pre_hooks for module in esm2.modules())


def test_zero_means_have_the_same_shapes() -> None:
    esm2 = model()
    for zeros, means in zip(zero_means(esm2), input_means(esm2, [pack(4)]), strict=True):
        assert {name: mean.shape for name, mean in means.items()} == {name: zero.shape for name, zero in zeros.items()}
        assert not any(zero.any() for zero in zeros.values())
