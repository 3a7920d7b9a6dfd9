from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.shards.plan import ShardEntry, read_plan, shard_token_budget, write_plan


def entry(chunk_rows: int, frames: int, tokens: int) -> ShardEntry:
    return ShardEntry(chunk_rows, frames, tokens, digest="aa", frames_sha256="bb", chunks_sha256="cc")


@pytest.mark.parametrize("before, after", [(b"100", b"101"), (b'"aa"', b'"ab"'), (b"}", b""), (b"shards", b"shardz")])
def test_a_plan_that_was_changed_is_noticed(tmp_path: Path, before: bytes, after: bytes) -> None:
    file = tmp_path / "plan.json"
    write_plan(file, [entry(3, 2, 100)])
    file.write_bytes(file.read_bytes().replace(before, after, 1))
    with pytest.raises(DamagedError, match=r"plan\.json is missing or damaged"):
        read_plan(file)


def test_a_plan_reads_back(tmp_path: Path) -> None:
    shards = (entry(3, 2, 100), entry(5, 0, 0), entry(1, 1, 7))
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
