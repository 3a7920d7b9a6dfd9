"""The classifier as torch computes it, in FP32."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from virnucpro_tasks.errors import BackendError
from virnucpro_tasks.reference.tensors import read_fp32, read_sizes

KIND, SHORT_KIND = "mlp", "mlp_and_short_records"
SHORT_PREFIX = "short_records."
"""How the tensors begin of the part that scores short records by their nucleotide vectors."""


class ReferenceHead(nn.Module):
    """A hidden layer with batch normalization and ReLU, and two outputs; dropout is off in evaluation."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden_layer = nn.Linear(width, hidden)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.output_layer = nn.Linear(hidden, 2)

    @classmethod
    def load(cls, folder: Path) -> ReferenceHead:
        """The head in `folder`. Raises BackendError for one of another kind, for which there is no reference."""
        if (kind := read_sizes(folder).get("kind", KIND)) not in (KIND, SHORT_KIND):
            raise BackendError(f"there is no reference for a head of the kind {kind!r}")
        tensors = read_fp32(folder, torch.device("cpu"))
        return cls.of({name: value for name, value in tensors.items() if not name.startswith(SHORT_PREFIX)})

    @classmethod
    def load_short(cls, folder: Path) -> tuple[int, ReferenceHead] | None:
        """The part for records of fewer bases than the number before it, of the head in `folder`; None without one."""
        sizes = read_sizes(folder)
        if sizes.get("kind") != SHORT_KIND:
            return None
        tensors = read_fp32(folder, torch.device("cpu"))
        of_part = {name: value for name, value in tensors.items() if name.startswith(SHORT_PREFIX)}
        below: int = sizes["nucleotides_below"]
        return below, cls.of({name.removeprefix(SHORT_PREFIX): value for name, value in of_part.items()})

    @classmethod
    def of(cls, tensors: dict[str, Tensor]) -> ReferenceHead:
        """The head of tensors by their names."""
        tensors.setdefault("bn1.num_batches_tracked", torch.tensor(0))
        hidden, width = tensors["hidden_layer.weight"].shape
        head = cls(width, hidden)
        head.load_state_dict(tensors)
        head.requires_grad_(False).eval()
        return head

    @torch.inference_mode()
    def scores(self, nucleotide: Tensor, protein: Tensor) -> Tensor:
        """P(others) and P(virus) of each row, (n, 2) FP32; the vectors of DNA come first."""
        joined = torch.cat([nucleotide, protein], dim=1)
        outputs: Tensor = self.output_layer(torch.relu(self.bn1(self.hidden_layer(joined))))
        return outputs.softmax(dim=1)
