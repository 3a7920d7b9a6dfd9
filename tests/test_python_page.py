"""The examples of docs/python.md run as they stand there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from job import SAMPLE

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "python.md").read_text()


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.usefixtures("forks")
def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    shutil.copy(SAMPLE, tmp_path / "contigs.fasta")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, "docs/python.md", "exec"), names)
    assert len(names["viral"]) and len(names["along"]) and len(names["frames"])
    assert "nowhere.fasta: No such file or directory 3" in capsys.readouterr().out.splitlines()
