from __future__ import annotations

import json
from typing import Any

import pytest
from cli.conftest import Virnucpro

from virnucpro_tasks import parity
from virnucpro_tasks.errors import ExitCode

ROW = {
    "model": "DNABERT-S",
    "reference": "plain code",
    "cosine_median": 0.9999999,
    "cosine_minimum": 0.999,
    "centred_cosine_median": 0.9999,
    "centred_cosine_minimum": -0.5,
}
REPORT: dict[str, Any] = {
    "passes": False,
    "limits": {"least_centred_cosine": 0.99, "most_labels_changed": 0.001},
    "bundle": {"name": "demonstration", "digest": "0" * 64},
    "device": "cpu",
    "precision": "fp32",
    "frames": 1_000,
    "vectors": [ROW, ROW],
    "references": ROW,
    "scores": {"labels_changed": 2, "agreement": 0.998, "largest_change": 0.25, "median_change": 1e-7},
    "worst": [
        {
            "record_id": "a" * 60,
            "chunk": 123_456,
            "frame": "R3",
            "residues": 166,
            "centred_cosine": -0.5,
            "score": 0.75,
            "reference_score": 0.5,
            "label_changed": True,
        }
    ],
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was to be compared; nothing is."""
    pytest.importorskip("esm")
    pytest.importorskip("transformers")
    calls: list[Any] = []

    def compared(bundle: Any, frames: list[Any], options: Any, **how: Any) -> dict[str, Any]:
        calls.append((frames, options, how))
        return REPORT | {"passes": len(calls) > 1}

    monkeypatch.setattr(parity, "parity", compared)
    return calls


def test_limits_decide_the_exit_code_and_lines_fit_a_terminal(virnucpro: Virnucpro, asked: list[Any]) -> None:
    arguments = ("parity", "--bundle", "demo", "-d", "cpu", "--frames", "3", "--least-cosine", "0.5")
    failed = virnucpro(*arguments)
    assert failed.code == ExitCode.JOB_FAILED
    assert max(map(len, failed.out)) <= 80 and any("NOT within the limits" in line for line in failed.out)
    assert any(line.endswith("0.750000   0.500000 *") for line in failed.out)
    frames, options, how = asked[0]
    assert (len(frames), options.precision, options.device, how["limits"].least_cosine) == (3, "fp32", "cpu", 0.5)
    passed = virnucpro(*arguments, "--json")
    assert (passed.code, json.loads("".join(passed.out))["passes"]) == (ExitCode.OK, True)


def test_without_the_extra_it_says_what_to_install(virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch) -> None:
    from virnucpro_tasks.system import extras

    monkeypatch.setitem(extras.EXTRAS, "reference", ("no_such_package", "transformers"))
    ended = virnucpro("parity", "--bundle", "demo", "-d", "cpu")
    assert ended.code == ExitCode.USAGE and "no no_such_package" in ended.err[-1] and "[reference]" in ended.err[-1]
