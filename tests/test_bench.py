from __future__ import annotations

import pytest

from virnucpro_tasks import bench as module
from virnucpro_tasks.bench import bench, dnabert_flops, esm2_flops
from virnucpro_tasks.errors import BackendError, SettingsError
from virnucpro_tasks.models.sizes import ESM2_NAMES


def test_operations_per_token() -> None:
    assert esm2_flops(ESM2_NAMES["3B"]) == pytest.approx(5.66e9, rel=1e-3)
    assert dnabert_flops(module.DNABERT_S) == pytest.approx(226e6, rel=5e-3)


def test_every_published_size_can_be_asked_for() -> None:
    assert list(ESM2_NAMES) == ["8M", "35M", "150M", "650M", "3B", "15B"]


def test_rates_are_consistent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUNDS", 1)
    monkeypatch.setattr(module, "CEILING_SECONDS", 0.01)
    monkeypatch.setattr("virnucpro_tasks.embed.budget.CPU_TOKENS", 512)
    rows = list(bench(["8M"], device="cpu", precision="fp32"))
    assert [row.sequence for row in rows] == ["166 residues", "50 residues"]
    for row in rows:
        residues = int(row.sequence.split()[0])
        assert row.tokens_per_second / row.sequences_per_second == pytest.approx(residues + 2)
        flops = row.tokens_per_second * esm2_flops(ESM2_NAMES["8M"])
        assert row.share_of_ceiling == pytest.approx(flops / (row.ceiling_teraflops * 1e12))
        assert row.token_budget == 512
        assert 0.9 < row.token_fill <= 1
        assert (row.attention, row.peak_bytes) == ("sdpa", 0)


def test_an_unknown_model_or_device_is_refused() -> None:
    with pytest.raises(SettingsError, match="650M"):
        next(bench(["4B"], device="cpu", precision="fp32"))
    with pytest.raises(BackendError):
        next(bench(["8M"], device="tpu", precision="fp32"))
