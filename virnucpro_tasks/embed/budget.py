"""The number of tokens in one pack; on a GPU it is measured, so that packs fit into the free memory."""

from __future__ import annotations

from collections.abc import Callable

import torch

from virnucpro_tasks.errors import BackendError

CPU_TOKENS = 16_384
MOST_GPU_TOKENS = 32_768
"""Enough to keep an H100 busy: larger packs were not faster."""

LEAST_GPU_TOKENS = 1_024
"""The longest protein with <cls> and <eos>."""

PROBES = (1_024, 3_072)
"""Tokens of the two trial packs whose difference gives the memory of one token."""

MEMORY_SHARE = 0.8
"""The part of the free memory that a pack may take; fragments and other users of the card need the rest."""


def pack_budget(trial: Callable[[int], None], device: torch.device) -> int:
    """Tokens that a pack may have on `device`; `trial` runs the model on a pack of the given number of tokens.

    On a GPU the two trials also compile the kernels. Raises BackendError if not even the longest protein fits.
    """
    if device.type != "cuda":
        return CPU_TOKENS
    peaks = [_peak_bytes(trial, tokens, device) for tokens in PROBES]
    bytes_a_token = max(1.0, (peaks[1] - peaks[0]) / (PROBES[1] - PROBES[0]))
    free, _ = torch.cuda.mem_get_info(device)
    return fitting_tokens(free, bytes_a_token=bytes_a_token)


def fitting_tokens(free_bytes: int, *, bytes_a_token: float) -> int:
    """Tokens that fit, a multiple of LEAST_GPU_TOKENS and at most MOST_GPU_TOKENS. Raises BackendError."""
    fitting = int(MEMORY_SHARE * free_bytes / bytes_a_token)
    if fitting < LEAST_GPU_TOKENS:
        raise BackendError(
            f"{free_bytes / 1e9:.1f} GB of device memory are free, a pack of {LEAST_GPU_TOKENS} tokens takes "
            f"{LEAST_GPU_TOKENS * bytes_a_token / MEMORY_SHARE / 1e9:.1f} GB",
            hint="free memory on the card, or use a smaller ESM-2",
        )
    return min(MOST_GPU_TOKENS, fitting // LEAST_GPU_TOKENS * LEAST_GPU_TOKENS)


def _peak_bytes(trial: Callable[[int], None], tokens: int, device: torch.device) -> int:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    trial(tokens)
    torch.cuda.synchronize(device)
    peak = torch.cuda.max_memory_allocated(device) - before
    torch.cuda.empty_cache()
    return peak
