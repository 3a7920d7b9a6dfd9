"""A one-shot run, its workers and its private Redis go through where the output folder lacks nearly everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filesystem.shims import build_shim, faulty

pytestmark = pytest.mark.service

FAULTS = (
    "noflock,nofsync,nodirsync,nochmod,nolink,noutime,nosymlink,noappend,nommap,nosocket,renamelost,unseen,stale=97"
)


def test_a_one_shot_run_needs_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "reads.fasta").write_text(f">one\n{'ACG' * 100}\n>two\n{'GATTACA' * 40}\n")
    library = build_shim(tmp_path)
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "virnucpro_tasks.cli.main", "predict", "reads.fasta"),
            *("--output", "out", "--bundle", "demo", "--devices", "cpu"),
        ],
        cwd=tmp_path / "work",
        env=os.environ | faulty(library, tmp_path / "work", FAULTS),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    report = json.loads((tmp_path / "work" / "out" / "run.json").read_bytes())
    assert report["counts"]["records"]["scored"] == 2
    assert {file.name for file in (tmp_path / "work" / "out").iterdir()} >= {"records.tsv", *report["sha256"]}
