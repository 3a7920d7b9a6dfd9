"""FP8 is refused on a CPU; tests/gpu/test_fp8.py covers passing and failing the check on a GPU."""

from __future__ import annotations

import pytest

from virnucpro_tasks.bench import bench
from virnucpro_tasks.embed.engine import Engine, EngineOptions
from virnucpro_tasks.embed.parity import Parity
from virnucpro_tasks.embed.self_check import PrecisionError
from virnucpro_tasks.errors import BackendError, ExitCode
from virnucpro_tasks.models.locate import demo_bundle


@pytest.mark.parametrize("precision", ["fp8", "fp8-ff"])
def test_fp8_never_runs_on_a_cpu(precision: str) -> None:
    options = EngineOptions("cpu", precision, "auto", token_budget=None, threads=1)
    with pytest.raises(BackendError, match=f"{precision} needs a CUDA device of compute capability 8.9"):
        Engine.load(demo_bundle(), options)
    with pytest.raises(BackendError, match="compute capability"):
        list(bench(["8M"], device="cpu", precision=precision))


def test_a_refusal_says_by_how_much_and_is_for_good() -> None:
    error = PrecisionError("fp8", Parity(284, 0.9924, 0.9082, 0.027))
    assert "0.9082 at worst (at least 0.95)" in str(error) and "use fp16" in str(error)
    assert error.exit_code == ExitCode.USAGE and error.parity.flips == 0.027
