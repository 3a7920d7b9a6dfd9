from __future__ import annotations

from pathlib import Path

from virnucpro_tasks.reads.hints import shell_name


def test_a_file_is_named_as_a_shell_takes_it(tmp_path: Path) -> None:
    file = tmp_path / "my reads.bam"
    file.touch()
    assert shell_name(str(file)) == f"'{file}'"
    assert shell_name("standard input") == "FILE"
