from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from virnucpro_tasks.cli.results import link_or_copy


def test_what_is_kept_is_linked_on_one_file_system_and_copied_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, linked, copied = (tmp_path / name for name in ("source", "linked", "copied"))
    source.write_bytes(b"vectors")
    for target in (linked, copied):
        target.touch()
    link_or_copy(source, linked)
    assert linked.samefile(source)

    def elsewhere(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", elsewhere)
    link_or_copy(source, copied)
    assert copied.read_bytes() == b"vectors" and not copied.samefile(source)
