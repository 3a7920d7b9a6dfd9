from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cli.conftest import Virnucpro

from virnucpro_tasks import bench
from virnucpro_tasks.bench import BenchRow
from virnucpro_tasks.cli.bench import HEADINGS, significant
from virnucpro_tasks.errors import ExitCode

ROW = BenchRow(
    model="ESM-2 8M",
    precision="fp16",
    attention="sdpa",
    sequence="50 residues",
    tokens_per_second=12_345.6,
    sequences_per_second=237.4,
    share_of_ceiling=0.456,
    ceiling_teraflops=1.5,
    token_budget=1_024,
    token_fill=0.98765,
    peak_bytes=2_340_000_000,
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was to be measured; nothing is."""
    calls: list[Any] = []

    def measured(models: list[str], **how: str) -> list[BenchRow]:
        calls.append((models, how))
        return [ROW]

    monkeypatch.setattr(bench, "bench", measured)
    return calls


def test_a_table_with_a_heading_for_each_field(virnucpro: Virnucpro, asked: list[Any]) -> None:
    ended = virnucpro("bench", "--models", "8M,650M", "--device", "cpu", "--precision", "fp32")
    assert ended.code == ExitCode.OK
    heading, row = (line.split("\t") for line in ended.out)
    assert heading == list(HEADINGS)
    assert row == ["ESM-2 8M", "50 residues", "sdpa", "12346", "237", "45.6", "1.50", "0.988", "2.34"]
    assert ended.err == ["ESM-2 8M, 50 residues: 12,346 tokens/s"]
    assert asked == [(["8M", "650M"], {"device": "cpu", "precision": "fp32", "attention": "auto"})]


def test_all_models_are_looked_up_before_the_first_is_measured(virnucpro: Virnucpro, asked: list[Any]) -> None:
    for models in ("8M,9M", "9M", "8M,"):
        ended = virnucpro("bench", "--models", models, "--device", "cpu", "--precision", "fp32")
        assert ended.code == ExitCode.USAGE and "there is no model" in ended.err[-1]
    assert asked == []


def test_json(virnucpro: Virnucpro, asked: list[Any]) -> None:
    ended = virnucpro("bench", "--device", "cpu", "--precision", "fp32", "--json")
    (row,) = json.loads("\n".join(ended.out))
    assert (row["token_budget"], row["share_of_ceiling"], ended.err) == (1_024, 0.456, [])


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0, "0"), (0.0571, "0.0571"), (0.00012345, "0.000123"), (1.5, "1.50"), (99.94, "99.9"), (123.4, "123")],
)
def test_small_numbers_keep_their_digits(number: float, text: str) -> None:
    assert significant(number) == text


def test_memory_of_a_cpu_is_not_measured(virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = replace(ROW, peak_bytes=0, ceiling_teraflops=0.0123)
    monkeypatch.setattr(bench, "bench", lambda *_, **__: [slow])
    row = virnucpro("bench", "--device", "cpu", "--precision", "fp32").out[1].split("\t")
    assert row[-1] == "NA" and row[6] == "0.0123"


def test_one_device_is_measured(virnucpro: Virnucpro) -> None:
    ended = virnucpro("bench", "--device", "cpu,cpu")
    assert ended.code == ExitCode.USAGE and "'cpu,cpu' is not one device" in ended.err[0]
