from __future__ import annotations

import os
from pathlib import Path

import pytest

from virnucpro_tasks.system import users
from virnucpro_tasks.system.users import (
    Account,
    SharedFolder,
    folder_made_by,
    may_read,
    may_write,
    own_groups,
    own_umask,
)


def test_the_umask_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert own_umask() == 0o027
    finally:
        os.umask(before)
    monkeypatch.setattr(users, "STATUS_FILE", tmp_path / "absent")
    assert own_umask() is None
    assert os.getegid() in own_groups()


@pytest.mark.parametrize(
    ("mode", "who", "reads", "writes"),
    [
        (0o750, Account(1, ()), True, True),
        (0o750, Account(2, (10,)), True, False),
        (0o750, Account(3, ()), False, False),
        (0o070, Account(1, (10,)), False, False),  # its owner is judged as that alone
        (0o2770, Account(2, (10,)), True, True),
        (0o602, Account(3, ()), False, False),
        (0o000, Account(0, ()), True, True),
    ],
)
def test_who_may_do_what(mode: int, who: Account, reads: bool, writes: bool) -> None:
    folder = SharedFolder(1, 10, mode)
    assert (may_read(who, folder), may_write(who, folder)) == (reads, writes)


def test_a_new_folder_has_the_group_of_its_parent_or_of_its_maker() -> None:
    maker = Account(5, (6, 10))
    made = folder_made_by(maker, umask=0o027, inside=SharedFolder(1, 10, 0o2775), group=6)
    assert made == SharedFolder(5, 10, 0o750)
    assert folder_made_by(maker, umask=0, inside=SharedFolder(1, 10, 0o775), group=6) == SharedFolder(5, 6, 0o777)
