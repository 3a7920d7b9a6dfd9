"""DNABERT-S as plain code of its published description, in FP32, one sequence at a time without padding."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from virnucpro_tasks.reference.tensors import read_fp32, read_sizes

EPSILON = 1e-12


class ReferenceDnabertS:
    """Vectors of nucleotide sequences by the DNABERT-S in `folder`, on `device`."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        sizes = read_sizes(folder)
        self._layers, self._heads, self._width = sizes["layers"], sizes["heads"], sizes["width"]
        self._tensors = read_fp32(folder, device)
        self._slopes = torch.tensor(slopes(self._heads), device=device)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    @torch.inference_mode()
    def vector(self, nucleotides: str) -> Tensor:
        """The mean over all tokens of a sequence, [CLS] and [SEP] too, (width,) FP32."""
        return self._states(self._tokenizer.encode(nucleotides).ids).mean(dim=0)

    def _states(self, ids: list[int]) -> Tensor:
        named = self._tensors
        states = named["embeddings.word_embeddings.weight"][ids] + named["embeddings.token_type_embeddings.weight"][0]
        states = self._normed(states, "embeddings.LayerNorm")
        places = torch.arange(len(ids), device=states.device)
        distances = (places[:, None] - places[None, :]).abs()
        bias = -self._slopes[:, None, None] * distances
        for number in range(self._layers):
            layer = f"encoder.layer.{number}."
            mixed = self._attended(states, layer, bias)
            mixed = self._linear(mixed, f"{layer}attention.output.dense")
            states = self._normed(mixed + states, f"{layer}attention.output.LayerNorm")
            gate, value = (states @ named[f"{layer}mlp.gated_layers.weight"].T).chunk(2, dim=-1)
            inner = self._linear(functional.gelu(gate) * value, f"{layer}mlp.wo")
            states = self._normed(inner + states, f"{layer}mlp.layernorm")
        return states

    def _attended(self, states: Tensor, layer: str, bias: Tensor) -> Tensor:
        joined = self._linear(states, f"{layer}attention.self.Wqkv")
        split = joined.view(len(states), 3, self._heads, self._width // self._heads).permute(1, 2, 0, 3)
        query, key, value = split
        scores = query @ key.transpose(1, 2) / math.sqrt(self._width // self._heads) + bias
        return (scores.softmax(dim=-1) @ value).transpose(0, 1).reshape(len(states), self._width)

    def _linear(self, states: Tensor, name: str) -> Tensor:
        return states @ self._tensors[f"{name}.weight"].T + self._tensors[f"{name}.bias"]

    def _normed(self, states: Tensor, name: str) -> Tensor:
        weight, bias = self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
        return functional.layer_norm(states, (self._width,), weight, bias, EPSILON)


def slopes(heads: int) -> list[float]:
    """The slope of the ALiBi bias of each head: for a power of two 2^(-8k/n), else those and every second of twice."""
    power = 2 ** math.floor(math.log2(heads))
    found = [2 ** (-8 * k / power) for k in range(1, power + 1)]
    return found if power == heads else found + slopes(2 * power)[0::2][: heads - power]
