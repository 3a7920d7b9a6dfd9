"""What became of vectors and answers, and whether that passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fp8.scheme import KINDS

PENALTIES = (0.1, 0.01, 0.001)
GATE = {"median": 0.99, "minimum": 0.95, "flips": 0.005}
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
