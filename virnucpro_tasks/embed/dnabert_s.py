"""DNABERT-S and DNABERT-2 (MosaicBERT with ALiBi) over packed sequences; pooler and heads are left out."""

from __future__ import annotations

from pathlib import Path
from typing import Self, cast

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from virnucpro_tasks.embed.alibi import alibi_bias, alibi_slopes
from virnucpro_tasks.embed.attention import AttentionBackend, AttentionRequirements, resolve_backend
from virnucpro_tasks.embed.backends import SDPA
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.weights import CONFIG_FILE, embedding, parameter_shapes, read_sizes, read_tensors
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.sizes import DnabertSizes

LAYER_NORM_EPS = 1e-12
TOKEN_TYPES = 2


class Embeddings(nn.Module):
    """Word and token-type embeddings; positions enter through the attention bias alone."""

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.word_embeddings = embedding(vocabulary, width)
        self.token_type_embeddings = embedding(TOKEN_TYPES, width)
        self.LayerNorm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.LayerNorm(self.word_embeddings(tokens) + self.token_type_embeddings.weight[0])


class SelfAttention(nn.Module):
    """Multi-head attention with one projection to queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.Wqkv = nn.Linear(width, 3 * width)

    def forward(self, states: Tensor, segments: Segments, bias: Tensor, attention: AttentionBackend) -> Tensor:
        query, key, value = self.Wqkv(states).unflatten(-1, (3, self.heads, -1)).unbind(1)
        return attention.attend(query, key, value, segments, bias=bias).flatten(1)


class AttentionOutput(nn.Module):
    """Output projection of attention, residual connection and norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.LayerNorm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)

    def forward(self, mixed: Tensor, states: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(mixed) + states)


class GatedFeedForward(nn.Module):
    """Feed-forward part in which the GELU of one half gates the other; residual connection and norm."""

    def __init__(self, width: int, feed_forward: int) -> None:
        super().__init__()
        self.gated_layers = nn.Linear(width, 2 * feed_forward, bias=False)
        self.wo = nn.Linear(feed_forward, width)
        self.layernorm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)

    def forward(self, states: Tensor) -> Tensor:
        gate, value = self.gated_layers(states).chunk(2, dim=-1)
        return self.layernorm(self.wo(functional.gelu(gate) * value) + states)


class Layer(nn.Module):
    """One post-norm transformer block. Attribute names are those of the published weights."""

    def __init__(self, width: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.attention = nn.ModuleDict({"self": SelfAttention(width, heads), "output": AttentionOutput(width)})
        self.mlp = GatedFeedForward(width, feed_forward)

    def forward(self, states: Tensor, segments: Segments, bias: Tensor, attention: AttentionBackend) -> Tensor:
        mixed = self.attention["self"](states, segments, bias, attention)
        return self.mlp(self.attention["output"](mixed, states))


class DnabertS(nn.Module):
    """Packed DNABERT-S encoder; sequences of any length."""

    slopes: Tensor

    def __init__(
        self,
        *,
        layers: int,
        width: int,
        heads: int,
        feed_forward: int,
        vocabulary: int,
        attention: AttentionBackend,
    ) -> None:
        super().__init__()
        self.width = width
        self.vocabulary = vocabulary
        self.attention = attention
        self.embeddings = Embeddings(vocabulary, width)
        layer = nn.ModuleList(Layer(width, heads, feed_forward) for _ in range(layers))
        self.encoder = nn.ModuleDict({"layer": layer})
        self.register_buffer("slopes", alibi_slopes(heads), persistent=False)

    @classmethod
    def load(cls, directory: Path, *, device: torch.device | str, dtype: torch.dtype, attention: str = SDPA) -> Self:
        """Read `config.json` (layers, width, heads, feed_forward, vocabulary) and `model.safetensors`.

        Raises BundleError naming what is missing or misshapen, and BackendError for an attention backend that
        cannot add the ALiBi bias.
        """
        sizes = read_sizes(directory, DnabertSizes)
        head_dim, rest = divmod(sizes.width, sizes.heads)
        if rest:
            raise BundleError("width must be a multiple of heads", path=directory / CONFIG_FILE)
        device = torch.device(device)
        backend = resolve_backend(attention, device, AttentionRequirements(dtype=dtype, head_dim=head_dim, biased=True))
        with torch.device("meta"):
            model = cls(**msgspec.structs.asdict(sizes), attention=backend)
        tensors = read_tensors(directory, parameter_shapes(model), optional={}, device=device, dtype=dtype)
        model.load_state_dict(tensors, assign=True)
        model.slopes = alibi_slopes(sizes.heads).to(device)
        return model.requires_grad_(False).eval()

    def forward(self, tokens: Tensor, segments: Segments) -> Tensor:
        """States of the last layer, (T, width), for `tokens` (T,) int64 with [CLS] and [SEP]."""
        states = self.embeddings(tokens)
        bias = alibi_bias(self.slopes, segments.max_seqlen).to(states.dtype)
        for layer in cast(nn.ModuleList, self.encoder["layer"]):
            states = layer(states, segments, bias, self.attention)
        return states
