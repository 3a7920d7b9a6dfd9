from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.recovery.events import Began, Failed, HandedBack, append_event
from virnucpro_tasks.recovery.takeover import TakeoverCheck


@pytest.fixture
def attempts(tmp_path: Path) -> Path:
    file = tmp_path / "000003.jsonl"
    append_event(file, Began(probe="whole", message="tag", limit_seconds=1))
    return file


@pytest.fixture
def mine(attempts: Path, tmp_path: Path) -> TakeoverCheck:
    end = append_event(attempts, Began(probe="whole", message="tag", limit_seconds=1))
    return TakeoverCheck(attempts, tmp_path / "000003.safetensors", began_at=end, message="tag")


def test_the_attempts_before_mine_have_not_taken_over(mine: TakeoverCheck) -> None:
    assert not mine.is_taken_over()
    assert mine.taken_over_by is None


def test_who_begins_later_with_my_message_has_it(mine: TakeoverCheck, attempts: Path) -> None:
    append_event(attempts, Began(probe="whole", message="tag", limit_seconds=1, pid=7))
    assert mine.is_taken_over()
    assert mine.taken_over_by is not None
    assert mine.taken_over_by.pid == 7


def test_another_message_of_the_shard_is_an_equal_and_ends_are_no_attempts(mine: TakeoverCheck, attempts: Path) -> None:
    append_event(attempts, Began(probe="whole", message="another", limit_seconds=1))
    append_event(attempts, HandedBack(probe="whole"))
    append_event(attempts, Failed(probe="whole", reason="its worker died"))
    assert not mine.is_taken_over()


def test_vectors_that_were_not_there_before_finish_the_shard(attempts: Path, tmp_path: Path) -> None:
    file = tmp_path / "vectors"
    file.write_bytes(b"damaged")
    mine = TakeoverCheck(attempts, file, began_at=0, message="tag")
    assert not mine.is_finished()
    (tmp_path / "new").write_bytes(b"whole")
    (tmp_path / "new").rename(file)
    assert mine.is_finished()
