"""The check of FP8 at the start of a worker: it is compared with FP16 for these weights, this head and this card."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from virnucpro_tasks.embed.backends import FP8_ATTENTION
from virnucpro_tasks.embed.calibration import input_means
from virnucpro_tasks.embed.encoder import Encoder, PackedModel
from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.packing import pack_lengths
from virnucpro_tasks.embed.parity import Parity
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.tokens import tokenize_proteins
from virnucpro_tasks.embed.transfer import to_device
from virnucpro_tasks.errors import BackendError

log = logging.getLogger(__name__)

CHECK_TOKENS = 8_192
"""Tokens in one pack of the check, in which the FP16 model runs unfused."""


class PrecisionError(BackendError):
    """FP8 is not accurate enough for this bundle; `parity` was measured."""

    is_final = True

    def __init__(self, precision: str, parity: Parity) -> None:
        super().__init__(f"{precision} is refused for this bundle: {parity}", hint="use fp16")
        self.parity = parity


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """Input of the check. The means that FP8 subtracts are taken over `calibration` proteins.

    `nucleotides` and `proteins` are, row by row, frames of other records. `scores` is the head: vectors (n, nucleotide
    width) and (n, protein width), both float32, to scores (n, 2).
    """

    calibration: Sequence[str]
    nucleotides: Sequence[str]
    proteins: Sequence[str]
    scores: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]


def checked_fp8(
    model: Esm2, check: SelfCheck, *, precision: str, nucleotide: NDArray[np.float32], device: torch.device
) -> PackedModel:
    """An FP8 model with the weights of `model`, which was loaded in FP16 for the triton backend and is used up.

    `nucleotide` are the vectors of `check.nucleotides`. Raises PrecisionError if the result is too far from FP16.
    """
    # Imported here: Triton comes with CUDA builds of torch only.
    from virnucpro_tasks.embed.esm2_fp8 import Fp8Esm2

    reference = _vectors(model, check.proteins, device)
    means = input_means(model, _packs(check.calibration, device))
    fp8 = Fp8Esm2(model, means, attention_too=FP8_ATTENTION[precision])
    found = _vectors(fp8, check.proteins, device)
    parity = Parity.of(
        reference,
        found,
        reference_scores=check.scores(nucleotide, reference),
        found_scores=check.scores(nucleotide, found),
    )
    if not parity.passes:
        raise PrecisionError(precision, parity)
    log.info("precision=%s passes: %s", precision, parity)
    return fp8


def _vectors(model: PackedModel, proteins: Sequence[str], device: torch.device) -> NDArray[np.float32]:
    encoder = Encoder(
        "esm2", model, load_fp32=None, device=device, token_budget=CHECK_TOKENS, skip_first=1, skip_last=1
    )
    return encoder.encode(tokenize_proteins(proteins), should_stop=lambda: False)[0]


def _packs(proteins: Sequence[str], device: torch.device) -> Iterator[tuple[Tensor, Segments]]:
    tokens = tokenize_proteins(proteins)
    for pack in pack_lengths(tokens.lengths, token_budget=CHECK_TOKENS):
        yield (
            to_device(tokens.select(pack.indices), device),
            Segments.of(tokens.lengths[pack.indices], device=device),
        )
