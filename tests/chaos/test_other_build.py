"""The other build of a drill is one, and is run from its folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

from virnucpro_tasks.build import installed_build, own_build
from virnucpro_tasks.chaos.other_build import make_other_build, other_build_command

MODULE = "virnucpro_workers.process"


def test_a_process_of_the_other_build_has_another_digest(tmp_path: Path) -> None:
    folder = make_other_build(tmp_path / "other")
    assert installed_build(folder / "virnucpro_tasks") != own_build()
    start, module = other_build_command(folder, MODULE)[2:][0], other_build_command(folder, MODULE)[-1]
    assert (Path(start).is_relative_to(folder), module) == (True, MODULE)
    (folder / "told.py").write_text("from virnucpro_tasks.build import own_build\nprint(own_build())\n")
    said = subprocess.run(other_build_command(folder, "told"), check=True, capture_output=True, text=True).stdout
    assert said.strip() == installed_build(folder / "virnucpro_tasks")
