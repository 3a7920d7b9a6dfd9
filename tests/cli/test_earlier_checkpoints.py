"""Files of vectors of earlier versions are looked at without running what is in them."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from cli.conftest import Virnucpro

WHOLE = {
    "nucleotide.pt": {"nucleotide": ["a"], "data": [{"label": "a", "mean_representation": [0.5]}]},
    "protein.pt": {"proteins": ["a"], "data": [torch.zeros(3)], "version": "1.0", "status": "complete"},
    "batch_00000.pt": {"embeddings": np.zeros((1, 3), np.float32), "sequence_ids": ["a"], "metadata": {}},
}


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = str(place)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.place,)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in WHOLE.items():
        torch.save(content, tmp_path / name)
    (tmp_path / "notes.txt").write_text("no .pt")
    return tmp_path


@pytest.mark.parametrize("flags", [(), ("--skip-load",)])
def test_whole_files(flags: tuple[str, ...], folder: Path, virnucpro: Virnucpro) -> None:
    ended = virnucpro("utils", "validate-checkpoints", folder, *flags)
    assert (int(ended.code), ended.out[-1]) == (0, "3 of 3 files whole")


@pytest.mark.parametrize(
    ("kind", "is_seen_unloaded"),
    [
        *((kind, True) for kind in ("empty", "cut", "text", "folder", "plain pickle")),
        *((kind, False) for kind in ("malicious", "without data", "a list")),
    ],
)
def test_what_is_not_whole_is_named(kind: str, is_seen_unloaded: bool, folder: Path, virnucpro: Virnucpro) -> None:
    file, mark = folder / "bad.pt", folder / "mark"
    if kind == "folder":
        file.mkdir()
    elif kind in ("malicious", "without data", "a list"):
        torch.save({"malicious": {"data": Malicious(mark)}, "without data": {"x": 1}, "a list": [1]}[kind], file)
    else:
        whole = (folder / "protein.pt").read_bytes()
        contents = {"empty": b"", "cut": whole[:-40], "text": b"x\n", "plain pickle": pickle.dumps(Malicious(mark))}
        file.write_bytes(contents[kind])
    ended = virnucpro("utils", "validate-checkpoints", folder)
    (line,) = [line for line in ended.out if line.startswith("bad.pt: ")]
    assert int(ended.code) == 3 and not line.endswith("whole") and ended.out[-1] == "3 of 4 files whole"
    assert (int(virnucpro("utils", "validate-checkpoints", folder, "--skip-load").code) == 3) == is_seen_unloaded
    assert not mark.exists()


def test_the_last_failures_are_shown(folder: Path, virnucpro: Virnucpro) -> None:
    (folder / "failed_checkpoints.txt").write_text("".join(f"{n}.pt|corrupt\x1b|now\n" for n in range(9)))
    out = virnucpro("utils", "validate-checkpoints", folder).out
    assert out[-5:] == [rf"failed_checkpoints.txt: {n}.pt|corrupt\x1b|now" for n in range(4, 9)]


def test_a_folder_without_any_and_none(tmp_path: Path, virnucpro: Virnucpro) -> None:
    assert int(virnucpro("--exit-codes", "old", "utils", "validate-checkpoints", tmp_path).code) == 1
    assert int(virnucpro("utils", "validate-checkpoints", tmp_path / "absent").code) == 2


def test_real_files_are_whole(shared: Path, tmp_path: Path, virnucpro: Virnucpro) -> None:
    real = [file for file in (shared / "reference").rglob("*.pt") if file.stat().st_size]
    for number, file in enumerate(real):
        shutil.copyfile(file, tmp_path / f"{number}.pt")
    assert (
        real
        and virnucpro("utils", "validate-checkpoints", tmp_path).out[-1] == f"{len(real)} of {len(real)} files whole"
    )
