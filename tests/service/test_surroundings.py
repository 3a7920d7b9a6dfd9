"""A one-shot run amid modules and variables of others is the same run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hostile import (
    COMPUTING,
    FOREIGN_VARIABLES,
    HARMLESS_VARIABLES,
    SHADOWS,
    fill,
    python_variables,
)
from service.deployment import COMMAND, PATIENCE_SECONDS, SAMPLE, comparable

from virnucpro_tasks.system.isolation import own_folders

pytestmark = pytest.mark.service


def test_nothing_of_others_is_imported_or_obeyed(quiet: dict[str, bytes], tmp_path: Path) -> None:
    current = fill(tmp_path / "current", *SHADOWS, *COMPUTING)
    path = fill(tmp_path / "path", *COMPUTING)
    variables = python_variables(path) | FOREIGN_VARIABLES | HARMLESS_VARIABLES
    variables |= {"PYTHONPATH": os.pathsep.join([*own_folders(), str(path)]), "MARK": str(tmp_path / "mark")}
    done = subprocess.run(
        [*COMMAND, "predict", str(SAMPLE), "--bundle", "demo", "-d", "cpu", "-o", str(tmp_path / "out")],
        env=os.environ | variables,
        cwd=current,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert not (tmp_path / "mark").exists(), (tmp_path / "mark").read_text()
    assert done.returncode == 0, done.stderr
    assert comparable(tmp_path / "out") == quiet
