"""`benchmark` and `profile` of earlier versions measure what they say, in files with the keys of before."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Virnucpro

from virnucpro_tasks import bench as measuring
from virnucpro_tasks.cli import earlier_benchmark
from virnucpro_tasks.cli.earlier_benchmark import CannotCompareError, failures, measure, parity_processes, rows_of
from virnucpro_tasks.cli.earlier_profile import sequence_tokens
from virnucpro_tasks.errors import ExitCode, InputError
from virnucpro_tasks.settings import Settings


def row(rate: float) -> dict[str, Any]:
    return {
        "model": "ESM-2 8M",
        "sequence": "166 residues",
        "tokens_per_second": rate,
        "sequences_per_second": rate / 168,
        "peak_bytes": 0,
    }


def compared(place: str, *, passes: bool = True) -> dict[str, Any]:
    vectors = [{"model": "esm2", "reference": "fair-esm", "centred_cosine_minimum": 0.9876543}]
    counts = {"frames": 100, "scores": {"labels_changed": 0}}
    return {"place": place, "precision": "fp16", "vectors": vectors, "passes": passes, **counts}


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[int, float]:
    """Tokens a second of a device by the number of those that are measured at once; may be changed."""
    rates = {1: 1000.0, 2: 900.0}

    def bench(devices: Sequence[str], models: str) -> list[list[dict[str, Any]]]:
        return [[row(rates[len(devices)])] for _ in devices]

    monkeypatch.setattr(earlier_benchmark, "bench_processes", bench)
    monkeypatch.setattr(
        earlier_benchmark, "parity_processes", lambda _, devices, **__: [compared(place) for place in devices]
    )
    monkeypatch.chdir(tmp_path)
    return rates


def reports() -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(Path().rglob("benchmark_*.json"))]


@pytest.mark.parametrize(
    ("arguments", "code", "measured"),
    [
        ((), 0, ("alone", "scaling", "parity")),
        (("--suite", "all"), 0, ("alone", "scaling", "parity")),
        (("--suite", "throughput"), 0, ("alone",)),
        (("--suite", "memory", "--data-size", "large"), 0, ("alone",)),
        (("--suite", "v2-throughput", "--vanilla-baseline"), 0, ("alone",)),
        (("--suite", "v2-scaling"), 0, ("alone", "scaling")),
        (("--quick",), 0, ("alone", "scaling")),
        (("--quick", "--suite", "throughput"), 0, ("alone",)),
        (("--suite", "equivalence"), 0, ("parity",)),
        (("--suite", "v2-validation"), 0, ("parity",)),
        (("--suite", "v1-comparison"), 0, ("parity",)),
    ],
)
def test_suites(
    arguments: tuple[str, ...], code: int, measured: tuple[str, ...], virnucpro: Virnucpro, speed: dict[int, float]
) -> None:
    ended = virnucpro("benchmark", "--gpus", "0,1", *arguments)
    assert ended.code == code, ended.err
    found = reports()
    (report,) = found
    assert [name for name in ("alone", "scaling", "parity") if report.get(name)] == list(measured)
    assert report["failures"] == [] and Path("tests/reports").is_dir()
    if "parity" in measured:
        assert "0, fp16, esm2 against fair-esm: centred cosine of at least 0.987654" in ended.out
        assert "1: 0 of 100 frames with another label" in ended.out
    assert ended.out[0]
    if "alone" in measured:
        assert "| 1 | ESM-2 8M | 166 residues | 1,000 | 6.0 | NA |" in ended.out
    for name in ("--data-size", "--vanilla-baseline"):
        assert any(line.startswith(f"{name} has no effect") for line in ended.err) == (name in arguments)


def test_what_is_too_slow_is_not_met(virnucpro: Virnucpro, speed: dict[int, float]) -> None:
    assert virnucpro("benchmark", "--gpus", "0,1", "-o", "first").code == 0
    (before,) = Path("first").glob("*.json")
    speed[1] = 850.0
    slower = virnucpro("benchmark", "--gpus", "0", "-o", "second", "--compare-to", before, "--suite", "throughput")
    assert slower.code == 1 and "not met: ESM-2 8M, 166 residues, 0: 0.85 of the speed before" in slower.out
    speed |= {1: 1000.0, 2: 700.0}
    assert virnucpro("benchmark", "--gpus", "0,1", "-o", "third").code == 1
    assert virnucpro("benchmark", "--gpus", "0", "--suite", "scaling").code == 2


def test_results_that_differ_or_cannot_be_compared(
    virnucpro: Virnucpro, speed: dict[int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier_benchmark, "parity_processes", lambda *_, **__: [compared("0", passes=False)])
    ended = virnucpro("benchmark", "--gpus", "0", "--suite", "equivalence")
    assert ended.code == 1 and "not met: 0: fp16 is not within the limits of 'virnucpro parity'" in ended.out

    def cannot(*_: object, **__: object) -> list[dict[str, Any]]:
        raise CannotCompareError("no bundle is set")

    monkeypatch.setattr(earlier_benchmark, "parity_processes", cannot)
    assert virnucpro("benchmark", "--gpus", "0", "--suite", "v1-comparison").code == 2
    # Of all suites the others are run.
    ended = virnucpro("benchmark", "--gpus", "0")
    assert ended.code == 0 and "results are not compared: no bundle is set" in ended.err


@pytest.mark.parametrize("code", [0, 5, 3])
def test_the_report_of_parity_is_that_of_the_command(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(words: list[str], **_: Any) -> subprocess.CompletedProcess:
        asked.append(words)
        out = json.dumps({"passes": not code}).encode() if code != 3 else b""
        return subprocess.CompletedProcess(words, code, out, b"warning: x\nvirnucpro: error: no bundle is set\n")

    monkeypatch.setattr(earlier_benchmark.subprocess, "run", run)
    if code == 3:
        with pytest.raises(CannotCompareError, match=r"^no bundle is set$"):
            parity_processes(Settings(), ["cpu"], frames=None)
    else:
        found = parity_processes(Settings(), ["cpu"], frames=100)
        assert found == [{"passes": not code, "place": "cpu"}]
        assert asked[0][-6:] == ["parity", "--json", "--device", "cpu", "--frames", "100"]


def test_where_the_report_cannot_go_is_told_before_anything_is_measured(
    virnucpro: Virnucpro, speed: dict[int, float], tmp_path: Path
) -> None:
    place = tmp_path / "file"
    place.touch()
    ended = virnucpro("benchmark", "--quick", "--gpus", "cpu", "-o", place)
    assert ended.code == 2 and "is not a folder" in ended.err[-1]
    assert not any("measuring" in line for line in ended.err)


def test_speed_up_counts_all_devices() -> None:
    report = measure(
        ["0", "1"], "8M", scaling=True, bench=lambda devices, _: [[row(1000 / len(devices))]] * len(devices)
    )
    assert report["scaling"][0]["speedup"] == 1.0 and failures(report, None)


@pytest.mark.parametrize("gpus", ["x", "0,0", "", "0;1"])
def test_gpus_that_are_none(gpus: str, virnucpro: Virnucpro, speed: dict[int, float]) -> None:
    assert virnucpro("benchmark", "--gpus", gpus).code == ExitCode.USAGE
    assert not reports()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"alone": [{}]}', '{"alone": 3}', "[" * 10_000])
def test_a_report_of_others_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match="it is no report"):
        rows_of(tmp_path / "x.json")


def test_a_real_report_of_profile_has_the_keys_of_before(
    virnucpro: Virnucpro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "ROUNDS", 1)
    fasta = tmp_path / "x.fasta"
    fasta.write_bytes(b">a\n" + b"ACG" * 20 + b"\n>b\n" + b"ACG" * 40 + b"\n")
    flags = ("-d", "cpu", "--min-batch", 64, "--max-batch", 192, "--step", 64, "--test-file", fasta)
    ended = virnucpro("profile", "-m", "8M", *flags, "-o", tmp_path / "out.json", "--precision", "fp32")
    assert ended.code == ExitCode.OK, ended.err
    report = json.loads((tmp_path / "out.json").read_text())
    assert list(report) == [
        *("optimal_batch_size", "max_batch_size", "throughput_curve", "memory_curve", "bf16_enabled", "device")
    ]
    assert [size for size, _ in report["throughput_curve"]] == [64, 128, 192] and report["max_batch_size"] == 192
    assert [peak for _, peak in report["memory_curve"]] == [0, 0, 0]
    best = max(report["throughput_curve"], key=lambda pair: pair[1])
    assert (report["optimal_batch_size"], report["bf16_enabled"], report["device"]) == (best[0], False, "cpu")
    assert ended.err[-1].endswith(f"--token-budget {best[0]}")
    # And the file stays
    assert virnucpro("profile", "-m", "8M", *flags, "-o", tmp_path / "out.json").code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "Missing option"),
        (("-m", "esm3"), "esm3"),
        (("-m", "esm2", "--min-batch", 100, "--max-batch", 99), "is less than --min-batch"),
        (("-m", "esm2", "-d", "cpu,cpu"), "is not one device"),
        (("-m", "esm2", "-d", "cuda:99"), "not visible here"),
    ],
)
def test_profile_refuses_what_cannot_be_measured(
    arguments: tuple[object, ...], part: str, virnucpro: Virnucpro
) -> None:
    ended = virnucpro("profile", *arguments)
    assert ended.code == ExitCode.USAGE and part in ended.err[-1]


def test_tokens_of_a_sequence(tmp_path: Path) -> None:
    assert sequence_tokens("esm2", None) == 169
    assert sequence_tokens("dnabert-s", None) == 104
    (tmp_path / "x.fasta").write_bytes(b">a\n\n")
    with pytest.raises(InputError):
        sequence_tokens("esm2", tmp_path / "x.fasta")
