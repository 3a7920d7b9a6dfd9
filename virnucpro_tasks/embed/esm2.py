"""ESM-2 (Lin et al. 2023) over packed sequences, any published size; the language-model head is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from virnucpro_tasks.embed.attention import AttentionBackend, AttentionRequirements, resolve_backend
from virnucpro_tasks.embed.backends import SDPA
from virnucpro_tasks.embed.rotary import apply_rotary, inverse_frequencies, rotary_table
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.tokens import VOCABULARY_SIZE
from virnucpro_tasks.embed.weights import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    embedding,
    parameter_shapes,
    read_sizes,
    read_tensors,
)
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.sizes import Esm2Sizes

LAYER_NORM_EPS = 1e-5
FEED_FORWARD_RATIO = 4

TOKEN_DROPOUT_SCALE = 1 - 0.15 * 0.8
"""Training masked 15 % of tokens and blanked 80 % of those; inference scales embeddings to match (fair-esm)."""


class SelfAttention(nn.Module):
    """Multi-head attention with rotary positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(
        self, states: Tensor, segments: Segments, table: tuple[Tensor, Tensor], attention: AttentionBackend
    ) -> Tensor:
        query, key, value = (
            projection(states).unflatten(-1, (self.heads, -1)) for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = attention.attend(apply_rotary(query, table), apply_rotary(key, table), value, segments)
        return self.out_proj(mixed.flatten(1))


class Layer(nn.Module):
    """One pre-norm transformer block. Attribute names are those of the published weights."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.fc1 = nn.Linear(width, FEED_FORWARD_RATIO * width)
        self.fc2 = nn.Linear(FEED_FORWARD_RATIO * width, width)
        self.final_layer_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)

    def forward(
        self, states: Tensor, segments: Segments, table: tuple[Tensor, Tensor], attention: AttentionBackend
    ) -> Tensor:
        states = states + self.self_attn(self.self_attn_layer_norm(states), segments, table, attention)
        return states + self.fc2(functional.gelu(self.fc1(self.final_layer_norm(states))))


class Esm2(nn.Module):
    """Packed ESM-2 encoder. Inputs must hold no <mask> token: they would need another embedding scale."""

    inv_freq: Tensor

    def __init__(self, *, layers: int, width: int, heads: int, attention: AttentionBackend) -> None:
        super().__init__()
        self.width = width
        self.attention = attention
        self.embed_tokens = embedding(VOCABULARY_SIZE, width)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.emb_layer_norm_after = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.register_buffer("inv_freq", inverse_frequencies(width // heads), persistent=False)

    @classmethod
    def load(cls, directory: Path, *, device: torch.device | str, dtype: torch.dtype, attention: str = SDPA) -> Self:
        """Read `config.json` (layers, width, heads) and `model.safetensors` (names of the fair-esm module).

        Rotary frequencies stay in FP32; those stored in the file are used if it has any, because the published
        models were trained with them rounded. Raises BundleError naming what is missing or misshapen, and
        BackendError if the named attention backend cannot run this model.
        """
        sizes = read_sizes(directory, Esm2Sizes)
        head_dim, rest = divmod(sizes.width, sizes.heads)
        if rest or head_dim % 2:
            raise BundleError("width / heads must be an even number", path=directory / CONFIG_FILE)
        device = torch.device(device)
        backend = resolve_backend(
            attention, device, AttentionRequirements(dtype=dtype, head_dim=head_dim, biased=False)
        )
        with torch.device("meta"):
            model = cls(**msgspec.structs.asdict(sizes), attention=backend)
        stored = {f"layers.{layer}.self_attn.rot_emb.inv_freq": (head_dim // 2,) for layer in range(sizes.layers)}
        tensors = read_tensors(directory, parameter_shapes(model), optional=stored, device=device, dtype=dtype)
        frequencies = [tensors.pop(name) for name in stored if name in tensors]
        if any(not torch.equal(frequencies[0], other) for other in frequencies[1:]):
            raise BundleError("the layers have different rotary frequencies", path=directory / WEIGHTS_FILE)
        model.load_state_dict(tensors, assign=True)
        model.inv_freq = frequencies[0] if frequencies else inverse_frequencies(head_dim).to(device)
        return model.requires_grad_(False).eval()

    def forward(self, tokens: Tensor, segments: Segments) -> Tensor:
        """States after the final LayerNorm, (T, width), for `tokens` (T,) int64 with <cls> and <eos>."""
        states = self.embed_tokens(tokens) * TOKEN_DROPOUT_SCALE
        table = rotary_table(segments.positions, self.inv_freq)
        for layer in self.layers:
            states = layer(states, segments, table, self.attention)
        return self.emb_layer_norm_after(states)
