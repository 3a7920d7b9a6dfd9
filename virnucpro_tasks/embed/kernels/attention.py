"""Attention inside the sequences of a pack, with rotary positions or the ALiBi bias applied inside the kernel.

Online softmax as in FlashAttention (Dao et al. 2022). A program computes one head of one block of queries of one
sequence; proteins of reads fit into a block, so nothing is computed for padding but the rest of that block. The bias of
the projection to queries, keys and values is added here, in FP32: the projection is faster without it.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK_QUERIES = 64
BLOCK_KEYS = 64
LEAST_DOT = 16
"""The fewest columns that the matrix units multiply over; smaller heads are padded with zeros."""


# Otherwise Triton compiles again for packs whose sequences fit into one block.
@triton.jit(do_not_specialize=["blocks"])
def _attention(
    qkv,
    bias,
    out,
    cu_seqlens,
    cosine,
    sine,
    slopes,
    width,
    blocks,
    scale,
    head_dim: tl.constexpr,
    half: tl.constexpr,
    half_padded: tl.constexpr,
    dim_padded: tl.constexpr,
    block_queries: tl.constexpr,
    block_keys: tl.constexpr,
    rotary: tl.constexpr,
):
    place = tl.program_id(0)
    head = place // blocks
    first = (place % blocks) * block_queries
    sequence = tl.program_id(1)
    begin = tl.load(cu_seqlens + sequence)
    length = tl.load(cu_seqlens + sequence + 1) - begin
    if first >= length:
        return
    query_rows = first + tl.arange(0, block_queries)
    query_inside = query_rows < length
    dims = tl.arange(0, dim_padded)
    halves = tl.arange(0, half_padded)
    base = qkv + begin.to(tl.int64) * 3 * width + head * head_dim
    query_at = base + query_rows[:, None] * 3 * width
    bias_at = bias + head * head_dim
    if rotary:
        query_mask = query_inside[:, None] & (halves < half)[None, :]
        query_turn_at = query_rows[:, None] * half + halves[None, :]
        query_cosine = tl.load(cosine + query_turn_at, mask=query_mask, other=0.0)
        query_sine = tl.load(sine + query_turn_at, mask=query_mask, other=0.0)
        some = halves < half
        query_one = tl.load(query_at + halves[None, :], mask=query_mask, other=0.0)
        query_two = tl.load(query_at + half + halves[None, :], mask=query_mask, other=0.0)
        one = query_one + tl.load(bias_at + halves, mask=some, other=0.0)[None, :]
        two = query_two + tl.load(bias_at + half + halves, mask=some, other=0.0)[None, :]
        query_first = (one * query_cosine - two * query_sine).to(query_one.dtype)
        query_second = (two * query_cosine + one * query_sine).to(query_one.dtype)
        key_bias_one = tl.load(bias_at + width + halves, mask=some, other=0.0)
        key_bias_two = tl.load(bias_at + width + half + halves, mask=some, other=0.0)
    else:
        query_mask = query_inside[:, None] & (dims < head_dim)[None, :]
        query = tl.load(query_at + dims[None, :], mask=query_mask, other=0.0)
        query = (query + tl.load(bias_at + dims, mask=dims < head_dim, other=0.0)[None, :]).to(query.dtype)
        slope = tl.load(slopes + head) * 1.4426950408889634
    highest = tl.full([block_queries], float("-inf"), tl.float32)
    total = tl.zeros([block_queries], tl.float32)
    mixed = tl.zeros([block_queries, dim_padded], tl.float32)
    for start in range(0, length, block_keys):
        key_rows = start + tl.arange(0, block_keys)
        key_inside = key_rows < length
        key_at = base + width + key_rows[:, None] * 3 * width
        if rotary:
            half_mask = key_inside[:, None] & (halves < half)[None, :]
            turn_at = key_rows[:, None] * half + halves[None, :]
            turn_cosine = tl.load(cosine + turn_at, mask=half_mask, other=0.0)
            turn_sine = tl.load(sine + turn_at, mask=half_mask, other=0.0)
            key_one = tl.load(key_at + halves[None, :], mask=half_mask, other=0.0) + key_bias_one[None, :]
            key_two = tl.load(key_at + half + halves[None, :], mask=half_mask, other=0.0) + key_bias_two[None, :]
            key_first = (key_one * turn_cosine - key_two * turn_sine).to(query_first.dtype)
            key_second = (key_two * turn_cosine + key_one * turn_sine).to(query_first.dtype)
            scores = tl.dot(query_first, tl.trans(key_first))
            scores = tl.dot(query_second, tl.trans(key_second), scores) * scale
        else:
            # The bias of the keys is left out: it would add one constant to all scores of a query.
            dims_mask = key_inside[:, None] & (dims < head_dim)[None, :]
            key = tl.load(key_at + dims[None, :], mask=dims_mask, other=0.0)
            distance = tl.abs(query_rows[:, None] - key_rows[None, :]).to(tl.float32)
            scores = tl.dot(query, tl.trans(key)) * scale - slope * distance
        scores = tl.where(key_inside[None, :], scores, float("-inf"))
        higher = tl.maximum(highest, tl.max(scores, 1))
        weights = tl.exp2(scores - higher[:, None])
        decay = tl.exp2(highest - higher)
        total = total * decay + tl.sum(weights, 1)
        value_mask = key_inside[:, None] & (dims < head_dim)[None, :]
        value = tl.load(key_at + width + dims[None, :], mask=value_mask, other=0.0)
        mixed = tl.dot(weights.to(value.dtype), value, mixed * decay[:, None])
        highest = higher
    # Weights sum to one, so the bias of the values passes through them.
    value_bias = tl.load(bias_at + 2 * width + dims, mask=dims < head_dim, other=0.0)
    mixed = mixed / total[:, None] + value_bias[None, :]
    out_at = out + (begin + query_rows[:, None]).to(tl.int64) * width + head * head_dim + dims[None, :]
    tl.store(out_at, mixed.to(out.dtype.element_ty), mask=query_inside[:, None] & (dims < head_dim)[None, :])


def rotary_attention(
    qkv: Tensor, bias: Tensor, cu_seqlens: Tensor, table: tuple[Tensor, Tensor], *, heads: int, max_seqlen: int
) -> Tensor:
    """Attention with rotary positions: `qkv` (T, 3 * width), queries, keys, values side by side, to (T, width).

    `bias` (3 * width,) FP32 is added to `qkv`. `table` is cosine and sine of position times frequency, each (max_seqlen
    or more, head_dim / 2) FP32; `cu_seqlens` (S+1,) int32. The softmax scale is 1 / sqrt(head_dim).
    """
    cosine, sine = table
    return _launch(qkv, bias, cu_seqlens, heads=heads, max_seqlen=max_seqlen, cosine=cosine, sine=sine, slopes=cosine)


def alibi_attention(
    qkv: Tensor, bias: Tensor, cu_seqlens: Tensor, slopes: Tensor, *, heads: int, max_seqlen: int
) -> Tensor:
    """As `rotary_attention`, but -slope * |i - j| is added to the scores (ALiBi); `slopes` (heads,) FP32."""
    return _launch(qkv, bias, cu_seqlens, heads=heads, max_seqlen=max_seqlen, cosine=None, sine=slopes, slopes=slopes)


def plain_attention(query: Tensor, key: Tensor, value: Tensor, cu_seqlens: Tensor, *, max_seqlen: int) -> Tensor:
    """Attention without positions: `query`, `key`, `value` and the result are (T, heads, head_dim)."""
    heads = query.shape[1]
    qkv = torch.cat([part.flatten(1) for part in (query, key, value)], dim=1)
    slopes = torch.zeros(heads, dtype=torch.float32, device=query.device)
    bias = torch.zeros(qkv.shape[1], dtype=torch.float32, device=query.device)
    return alibi_attention(qkv, bias, cu_seqlens, slopes, heads=heads, max_seqlen=max_seqlen).view_as(query)


def _launch(
    qkv: Tensor,
    bias: Tensor,
    cu_seqlens: Tensor,
    *,
    heads: int,
    max_seqlen: int,
    cosine: Tensor | None,
    sine: Tensor,
    slopes: Tensor,
) -> Tensor:
    tokens, width = qkv.shape[0], qkv.shape[1] // 3
    head_dim = width // heads
    half = head_dim // 2
    out = torch.empty((tokens, width), dtype=qkv.dtype, device=qkv.device)
    blocks = triton.cdiv(max_seqlen, BLOCK_QUERIES)
    _attention[(blocks * heads, len(cu_seqlens) - 1)](
        qkv,
        bias,
        out,
        cu_seqlens,
        sine if cosine is None else cosine,
        sine,
        slopes,
        width,
        blocks,
        math.log2(math.e) / math.sqrt(head_dim),
        head_dim=head_dim,
        half=half,
        half_padded=max(LEAST_DOT, triton.next_power_of_2(half)),
        dim_padded=max(LEAST_DOT, triton.next_power_of_2(head_dim)),
        block_queries=BLOCK_QUERIES,
        block_keys=BLOCK_KEYS,
        rotary=cosine is not None,
        num_warps=4,
        # Most sequences end within one block of keys: a pipeline over blocks would only hold shared memory.
        num_stages=1,
    )
    return out
