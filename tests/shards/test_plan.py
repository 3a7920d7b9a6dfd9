from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.shards.plan import ShardEntry, read_plan, shard_token_budget, write_plan


def test_a_plan_reads_back(tmp_path: Path) -> None:
    shards = (ShardEntry(3, 2, 100, "aa"), ShardEntry(5, 0, 0, "bb"), ShardEntry(1, 1, 7, "cc"))
    write_plan(tmp_path / "plan.json", shards)
    plan = read_plan(tmp_path / "plan.json")
    assert plan.shards == shards
    assert plan.tokens == 107
    assert plan.to_embed == [0, 2]


def test_no_plan_while_splitting_goes_on(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_plan(tmp_path / "plan.json")


def test_ten_thousand_shards_hold_sixteen_billion_tokens() -> None:
    total = sum(shard_token_budget(number, first_budget=262_144) for number in range(10_000))
    assert total > 16e9
    assert shard_token_budget(0, first_budget=262_144) == 262_144
