from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.settings import Settings


@pytest.mark.parametrize("command", ["submit", "predict"])
def test_a_dry_run_says_what_segments_and_the_other_strand_would_cost_and_makes_nothing(
    virnucpro: Virnucpro, settings: Settings, tmp_path: Path, command: str
) -> None:
    out = tmp_path / "out"
    ended = virnucpro(command, SAMPLE, "-o", out, "--dry-run")
    assert (ended.code, ended.err) == (ExitCode.OK, [])
    assert [line.split()[0] for line in ended.out] == ["records", "chunks", "tokens", "segments", "strands"]
    assert ended.out[0].startswith("records   14, ")
    assert "% more) in " in ended.out[3] and ended.out[3].endswith("chunks; only with --coverage segments")
    assert "% more) in " in ended.out[4] and ended.out[4].endswith("frames; only with --both-strands")
    assert max(map(len, ended.out)) <= 80
    assert not out.exists() and not settings.store.exists()


def test_json_has_the_numbers(virnucpro: Virnucpro) -> None:
    ended = virnucpro("submit", SAMPLE, "--dry-run", "--json")
    cost = json.loads("\n".join(ended.out))
    assert cost["records"] == 14 and (cost["coverage"], cost["both_strands"]) == ("frames", False)
    assert sum(cost["chunks"].values()) > cost["chunks"]["partial_frame"] == cost["segments"] > 0
    assert cost["tokens"] > cost["frames"] > 0 and cost["segment_tokens"] > 62 * cost["segments"] > 0


def test_the_length_of_chunks_and_the_least_length_count(virnucpro: Virnucpro) -> None:
    def cost(*flags: object) -> dict[str, int]:
        return json.loads("\n".join(virnucpro("submit", SAMPLE, "--dry-run", "--json", *flags).out))

    assert cost("--expected-length", 300, "--allow-mismatch")["frames"] > cost()["frames"]
    assert sum(cost("--min-length", 100_000)["chunks"].values()) == 0


def test_an_empty_input_costs_nothing_if_it_is_allowed(virnucpro: Virnucpro, tmp_path: Path) -> None:
    file = tmp_path / "empty.fasta"
    file.touch()
    assert virnucpro("submit", file, "--dry-run").code == ExitCode.BAD_INPUT
    ended = virnucpro("submit", file, "--dry-run", "--allow-empty")
    assert (ended.code, ended.out[0]) == (ExitCode.OK, "records   0, 0 bases")


def test_what_can_be_read_once_is_left_for_the_job(virnucpro: Virnucpro, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ended = virnucpro("submit", pipe, "--dry-run")
    assert ended.code == ExitCode.BAD_INPUT
    assert "it can be read only once" in ended.err[-1]
