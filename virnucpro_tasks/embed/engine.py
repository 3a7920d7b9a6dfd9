"""Embedding of sequences by the two models of a bundle on one device."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from virnucpro_tasks.embed.backends import (
    AUTO,
    BACKEND_NAMES,
    FP8_ATTENTION,
    FP8_CAPABILITY,
    SDPA,
    TRITON,
    fp8_needs_gpu,
    require_fp8_backend,
)
from virnucpro_tasks.embed.dnabert_s import DnabertS
from virnucpro_tasks.embed.encoder import EmbeddingStopped, Encoder, NonFiniteError, PackedModel
from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.self_check import SelfCheck, checked_fp8
from virnucpro_tasks.embed.tokens import NucleotideTokenizer, SequenceError, tokenize_proteins
from virnucpro_tasks.errors import BackendError, BundleError, SettingsError
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.verification import loading
from virnucpro_tasks.shards.engine_stats import EngineStats
from virnucpro_tasks.shards.plan import MAX_RESIDUES

__all__ = [
    "Embedded",
    "EmbeddingStopped",
    "Engine",
    "EngineOptions",
    "NonFiniteError",
    "SequenceError",
]

DTYPES = {
    **{"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16},
    # All but the FP8 products is in FP16.
    **dict.fromkeys(FP8_ATTENTION, torch.float16),
}
NUCLEOTIDE_FOLDER = "dnabert-s"
PROTEIN_FOLDER = "esm2"
MOST_POOLED_RESIDUES = 1_024
"""Residues that the original averages over, also where it computes more; proteins that are cut have fewer."""

BASES_A_TOKEN = 5
LEAST_MEASURED_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The device and how it computes.

    `device` as torch writes it (cpu, cuda, cuda:1); `precision` fp32, fp16, bf16, fp8 (ESM-2 only) or fp8-ff (its
    feed-forward parts only); `attention` auto, triton, flash-attn, torch or sdpa; `token_budget` tokens in one pack,
    measured if None; `threads` of one operation on the CPU. Raises BackendError or SettingsError.
    """

    device: str
    precision: str
    attention: str
    token_budget: int | None
    threads: int

    def __post_init__(self) -> None:
        if self.precision not in DTYPES:
            raise BackendError(f"there is no precision {self.precision!r}", hint=f"choose one of {', '.join(DTYPES)}")
        if self.attention not in (AUTO, *BACKEND_NAMES):
            raise BackendError(
                f"there is no attention backend {self.attention!r}",
                hint=f"choose one of {', '.join((AUTO, *BACKEND_NAMES))}",
            )
        for name in ("token_budget", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(f"{name} must be at least 1, not {value}")


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Vectors in input order: `nucleotide` (n, nucleotide width), `protein` (m, protein width), both float32."""

    nucleotide: NDArray[np.float32]
    protein: NDArray[np.float32]
    nucleotide_stats: EngineStats
    protein_stats: EngineStats

    @property
    def stats(self) -> EngineStats:
        """The counters of both models together."""
        return self.nucleotide_stats + self.protein_stats


class Engine:
    """The two models of a bundle, loaded once."""

    def __init__(
        self,
        *,
        bundle_digest: str,
        options: EngineOptions,
        tokenizer: NucleotideTokenizer,
        nucleotide: Encoder,
        protein: Encoder,
    ) -> None:
        self.bundle_digest = bundle_digest
        self.options = options
        self._tokenizer = tokenizer
        self._nucleotide = nucleotide
        self._protein = protein
        self._protein_share: float | None = None
        """Share of ESM-2 in the time of both models, as last measured."""

    @classmethod
    def load(cls, bundle: Bundle, options: EngineOptions, *, check: SelfCheck | None = None) -> Engine:
        """Load both models onto the device of `options`.

        ESM-2 uses the attention backend asked for; DNABERT-S uses triton or sdpa, which add its bias, as `attention`
        reports. With triton both run as fused models. An FP8 precision needs a `check`, which it must pass. Raises
        BackendError if device, backend or precision is not available, BundleError for bad files.
        """
        device = available_device(options.device)
        if options.precision in FP8_ATTENTION:
            require_fp8(device, options)
        # Sums of half-precision products stay in FP32, also where cuBLAS splits them.
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
        dtype = DTYPES[options.precision]
        nucleotide_directory = bundle.path / NUCLEOTIDE_FOLDER
        protein_directory = bundle.path / PROTEIN_FOLDER
        # Only triton and sdpa add the bias of DNABERT-S.
        biased = options.attention if options.attention in (AUTO, TRITON) else SDPA
        with loading(bundle):
            dnabert_s = DnabertS.load(nucleotide_directory, device=device, dtype=dtype, attention=biased)
            tokenizer = NucleotideTokenizer.load(nucleotide_directory / "tokenizer.json", rows=dnabert_s.vocabulary)
            esm2 = Esm2.load(protein_directory, device=device, dtype=dtype, attention=options.attention)
        for name, width, expected in (
            (NUCLEOTIDE_FOLDER, dnabert_s.width, bundle.description.nucleotide_width),
            (PROTEIN_FOLDER, esm2.width, bundle.description.protein_width),
        ):
            if width != expected:
                raise BundleError(f"{name} is {width} wide, bundle.json says {expected}", path=bundle.path)
        reduced = dtype != torch.float32
        nucleotide = Encoder(
            NUCLEOTIDE_FOLDER,
            fused(dnabert_s),
            load_fp32=partial(_load_fp32, bundle, DnabertS, nucleotide_directory, device) if reduced else None,
            device=device,
            token_budget=options.token_budget,
            # The original's mean counts [CLS] and [SEP] for DNA, but neither <cls> nor <eos> for proteins.
            skip_first=0,
            skip_last=0,
        )
        if options.precision in FP8_ATTENTION:
            assert check is not None
            vectors, _ = nucleotide.encode(tokenizer.encode(check.nucleotides), should_stop=lambda: False)
            packed = checked_fp8(esm2, check, precision=options.precision, nucleotide=vectors, device=device)
        else:
            packed = fused(esm2)
        protein = Encoder(
            PROTEIN_FOLDER,
            packed,
            load_fp32=partial(_load_fp32, bundle, Esm2, protein_directory, device) if reduced else None,
            device=device,
            token_budget=options.token_budget,
            skip_first=1,
            skip_last=1,
            most_pooled=MOST_POOLED_RESIDUES,
        )
        return cls(
            bundle_digest=bundle.digest,
            options=options,
            tokenizer=tokenizer,
            nucleotide=nucleotide,
            protein=protein,
        )

    @property
    def token_budget(self) -> dict[str, int]:
        """Tokens in one pack of each model; falls when the device runs out of memory."""
        return {encoder.name: encoder.token_budget for encoder in (self._nucleotide, self._protein)}

    @property
    def attention(self) -> dict[str, str]:
        """The attention backend that each model uses."""
        return {encoder.name: encoder.attention for encoder in (self._nucleotide, self._protein)}

    def embed(
        self,
        nucleotides: Sequence[str],
        proteins: Sequence[str],
        *,
        should_stop: Callable[[], bool],
        masked_nucleotides: Collection[int] = (),
        masked_proteins: Collection[int] = (),
        tell_share: Callable[[float], None] | None = None,
        whole_proteins: bool = False,
    ) -> Embedded:
        """Vectors of upper-case `nucleotides` and of `proteins`, in their order.

        Proteins are cut at 1,022 residues. With `whole_proteins` they are not, as by the original tool, and the mean is
        that of the first 1,024 residues.

        The caller removes duplicates. Sequences at the masked indices keep their place and length, so that all others
        are packed as they would be, but their letters never reach a model: their vectors have no meaning.
        `tell_share` is called after every pack with the share of the work that is done, 0 to 1, as the time of the
        call before suggests it.

        Sets torch's intra-op threads of this process. Raises EmbeddingStopped if `should_stop`, asked before every
        pack, returns True; SequenceError for a protein that is empty or has an unknown letter; NonFiniteError if a
        vector is NaN or infinite even in FP32.
        """
        torch.set_num_threads(self.options.threads)
        started = time.monotonic()
        longest = None if whole_proteins else MAX_RESIDUES
        protein_share = self._protein_share or self._expected_protein_share(nucleotides, proteins)
        with ThreadPoolExecutor(1) as executor:
            # Tokenized while the device computes the proteins, which take longer.
            nucleotide_tokens = executor.submit(self._tokenizer.encode, nucleotides)
            protein, protein_stats = self._protein.encode(
                tokenize_proteins(proteins, longest=longest).masked(masked_proteins),
                should_stop=should_stop,
                tell_share=_part_of(tell_share, 0.0, protein_share),
            )
            proteins_done = time.monotonic()
            nucleotide, nucleotide_stats = self._nucleotide.encode(
                nucleotide_tokens.result().masked(masked_nucleotides),
                should_stop=should_stop,
                tell_share=_part_of(tell_share, protein_share, 1.0),
            )
        if (seconds := time.monotonic() - started) >= LEAST_MEASURED_SECONDS:
            self._protein_share = (proteins_done - started) / seconds
        return Embedded(nucleotide, protein, nucleotide_stats, protein_stats)

    def _expected_protein_share(self, nucleotides: Sequence[str], proteins: Sequence[str]) -> float:
        """By the products of the layers: the share of ESM-2 in the time of both models, before any is measured."""
        protein = sum(map(len, proteins)) * self._protein.width**2
        nucleotide = sum(map(len, nucleotides)) / BASES_A_TOKEN * self._nucleotide.width**2
        return protein / (protein + nucleotide) if protein else 0.0


def _part_of(tell_share: Callable[[float], None] | None, begin: float, end: float) -> Callable[[float], None] | None:
    """Tells of a part of the work, from `begin` to `end`, as a share of all of it."""
    return None if tell_share is None else lambda share: tell_share(begin + (end - begin) * share)


def _load_fp32(
    bundle: Bundle, model: type[DnabertS] | type[Esm2], directory: Path, device: torch.device
) -> PackedModel:
    """Load a model of `bundle` once more, perhaps hours after the first time."""
    with loading(bundle):
        return model.load(directory, device=device, dtype=torch.float32)


def fused(model: DnabertS | Esm2) -> PackedModel:
    """The fused form of a model that was loaded for the triton backend, else the model itself."""
    if model.attention.name != TRITON:
        return model
    # Imported here: Triton comes with CUDA builds of torch only.
    from virnucpro_tasks.embed.dnabert_s_fused import FusedDnabertS
    from virnucpro_tasks.embed.esm2_fused import FusedEsm2

    return FusedEsm2(model) if isinstance(model, Esm2) else FusedDnabertS(model)


def require_fp8(device: torch.device, options: EngineOptions) -> None:
    """Raise BackendError unless `device` has FP8 matrix units and the backend that feeds them may be used."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < FP8_CAPABILITY:
        raise fp8_needs_gpu(options.precision)
    require_fp8_backend(options.precision, options.attention)


def available_device(name: str) -> torch.device:
    """The torch device called `name`. Raises BackendError if it is not there."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise BackendError(f"there is no device {name!r}", hint="use cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise BackendError(f"device {name!r} is not supported", hint="use cpu, cuda or cuda:N")
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise BackendError(
                "torch sees no CUDA device", hint="check the driver, install a CUDA build of torch, or use cpu"
            )
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise BackendError(f"there is no device {name!r}, only {torch.cuda.device_count()} CUDA devices")
    return device
