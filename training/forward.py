"""Training passes of the package's own two models: padded batches, dropout, gradients.

They walk through the modules that inference uses, so names, shapes and arithmetic are the same; only the layout of the
batch differs (rows of equal length with padding, where inference has packs). tests/training compares the two.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from virnucpro_tasks.embed.alibi import alibi_bias
from virnucpro_tasks.embed.dnabert_s import DnabertS
from virnucpro_tasks.embed.esm2 import TOKEN_DROPOUT_SCALE, Esm2
from virnucpro_tasks.embed.rotary import apply_rotary, rotary_table

ESM2_MASK, ESM2_PAD = 32, 1


def esm2_states(model: Esm2, tokens: Tensor, present: Tensor, *, dropout: float) -> Tensor:
    """States (B, L, width) for `tokens` (B, L) int64; `present` (B, L) bool is false at padding.

    Embeddings of <mask> are blanked and the others scaled by the share that is left (token dropout of fair-esm).
    """
    masked = tokens == ESM2_MASK
    share = masked.sum(1) / present.sum(1)
    states = model.embed_tokens(tokens) * ~masked[..., None]
    states = states * (TOKEN_DROPOUT_SCALE / (1 - share))[:, None, None]
    batch, length = tokens.shape
    positions = torch.arange(length, device=tokens.device).repeat(batch)
    table = rotary_table(positions, model.inv_freq)
    bias = _padding_bias(present, states)[:, None, None, :]
    for layer in model.layers:
        block = layer.self_attn
        normed = layer.self_attn_layer_norm(states)
        query, key, value = (
            projection(normed).unflatten(-1, (block.heads, -1))
            for projection in (block.q_proj, block.k_proj, block.v_proj)
        )
        query, key = (apply_rotary(heads.flatten(0, 1), table).unflatten(0, (batch, length)) for heads in (query, key))
        mixed = block.out_proj(_attend(query, key, value, bias))
        states = states + functional.dropout(mixed, dropout)
        inner = layer.fc2(functional.gelu(layer.fc1(layer.final_layer_norm(states))))
        states = states + functional.dropout(inner, dropout)
    return model.emb_layer_norm_after(states)


def dnabert_s_states(model: DnabertS, tokens: Tensor, present: Tensor, *, dropout: float) -> Tensor:
    """States (B, L, width) for `tokens` (B, L) int64; `present` (B, L) bool is false at padding."""
    states = functional.dropout(model.embeddings(tokens), dropout)
    bias = alibi_bias(model.slopes, tokens.shape[1])[None] + _padding_bias(present, states)[:, None, None, :]
    for layer in model.encoder["layer"]:
        block, output, mlp = layer.attention["self"], layer.attention["output"], layer.mlp
        query, key, value = block.Wqkv(states).unflatten(-1, (3, block.heads, -1)).unbind(2)
        mixed = output.dense(_attend(query, key, value, bias))
        states = output.LayerNorm(functional.dropout(mixed, dropout) + states)
        gate, through = mlp.gated_layers(states).chunk(2, dim=-1)
        inner = mlp.wo(functional.gelu(gate) * through)
        states = mlp.layernorm(functional.dropout(inner, dropout) + states)
    return states


def masked_mean(states: Tensor, counted: Tensor) -> Tensor:
    """FP32 mean (B, width) of `states` (B, L, width) over the places where `counted` (B, L) is true."""
    weights = counted.to(torch.float32)[..., None]
    return (states.float() * weights).sum(1) / weights.sum(1)


def _padding_bias(present: Tensor, states: Tensor) -> Tensor:
    """(B, L): zero, or so low that no attention falls on it."""
    return torch.zeros(present.shape, device=states.device).masked_fill_(~present, -30_000.0)


def _attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """(B, L, heads, head_dim) to (B, L, width)."""
    batch, length, heads, _ = query.shape
    mask = bias.to(query.dtype).expand(batch, heads, length, length)
    mixed = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=mask
    )
    return mixed.transpose(1, 2).flatten(2)
