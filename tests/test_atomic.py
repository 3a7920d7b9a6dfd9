from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.atomic import atomic_path, write_json


def test_a_failed_writer_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    final = tmp_path / "file.json"
    write_json(final, {"a": 1})
    before = final.read_bytes()
    with pytest.raises(RuntimeError), atomic_path(final) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert final.read_bytes() == before
    assert list(tmp_path.iterdir()) == [final]
