"""Pickles that a file of vectors does not need: refused, without running or taking anything."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from virnucpro_tasks.earlier import torch_zip
from virnucpro_tasks.earlier.reasons import UnusableError
from virnucpro_tasks.earlier.torch_zip import read_torch_zip


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    """A zip file as torch makes it, with this pickle and these storages."""

    def make(pickled: bytes, **storages: bytes) -> Path:
        file = tmp_path / "x.pt"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("x/data.pkl", pickled)
            for key, content in storages.items():
                archive.writestr(f"x/data/{key[1:]}", content)
        return file

    return make


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64])
def test_tensors_and_arrays_are_read_as_torch_reads_them(dtype: torch.dtype, tmp_path: Path) -> None:
    whole = torch.arange(24).reshape(4, 6).to(dtype)
    for protocol in (2, 4):
        content = {
            "view": whole[1:3, ::2],
            "turned": whole.T,
            "empty": whole[:0],
            "array": np.arange(6, dtype=np.float32).reshape(2, 3),
            "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
            "ordered": OrderedDict(a=1),
        }
        torch.save(content, tmp_path / "x.pt", pickle_protocol=protocol)
        read = read_torch_zip(tmp_path / "x.pt")
        for name in ("view", "turned", "empty"):
            assert np.array_equal(read[name], content[name].double().numpy())
        for name in ("array", "columns"):
            assert np.array_equal(read[name], content[name])
        assert read["ordered"] == {"a": 1}


class Calls:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> Any:
        return self.reduced


@pytest.mark.parametrize(
    "function", [eval, exec, print, getattr, np.load, np.frombuffer, torch.load, Path, pickle.loads]
)
def test_every_other_function_is_refused(function: Any, zipped: Callable) -> None:
    with pytest.raises(UnusableError, match="refused: it asks for"):
        read_torch_zip(zipped(pickle.dumps({"ids": Calls(function, "x")})))


TENSOR = "ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = "(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI{count}\ntQ"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("I0\n(I99\nt(I1\nt", "larger than its storage"),
        ("I0\n(I2\nI2\nt(I0\nI0\nt", ""),
        ("I0\n(I9999999\nt(I0\nt", "larger than its storage"),
        ("I-1\n(I1\nt(I1\nt", "negative"),
        ("I0\n(I1\nt(I-1\nt", "negative"),
        ("I3\n(I2\nt(I1\nt", "larger than its storage"),
        ("I0\n(I1\nt(I1\nI1\nt", "no storage"),
    ],
)
def test_a_tensor_reaches_no_further_than_its_storage(arguments: str, reason: str, zipped: Callable) -> None:
    pickled = f"{TENSOR}({STORAGE.format(count=4)}{arguments}I00\nNtR.".encode()
    file = zipped(pickled, _0=np.arange(4, dtype=np.float32).tobytes())
    if not reason:
        assert read_torch_zip(file).tolist() == [[0, 0], [0, 0]]
        return
    with pytest.raises(UnusableError, match=reason):
        read_torch_zip(file)


def test_a_storage_that_is_shorter_than_it_says_is_refused(zipped: Callable) -> None:
    pickled = f"{TENSOR}({STORAGE.format(count=9)}I0\n(I1\nt(I1\ntI00\nNtR.".encode()
    with pytest.raises(UnusableError, match="shorter than it says"):
        read_torch_zip(zipped(pickled, _0=bytes(16)))


def test_a_small_file_takes_no_large_memory(zipped: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_zip, "LEAST_MEMORY_BYTES", 2**26)
    # The place of a remembered object, for which the unpickler makes a table.
    with pytest.raises(UnusableError, match="more memory than a file of its size needs"):
        read_torch_zip(zipped(b"\x80\x02Nr\xff\xff\xff\x0f."))


@pytest.mark.parametrize(
    "target", ["ctorch._utils\n_rebuild_tensor_v2\n", "ccollections\nOrderedDict\n", "cnumpy\ndtype\n"]
)
def test_what_a_file_changes_is_not_changed_for_the_next(target: str, zipped: Callable, tmp_path: Path) -> None:
    before = dict(vars(torch_zip._tensor)), dict(vars(torch_zip._PickledType))
    pickled = f"{target}(N(S'func'\nN S'__setstate__'\nNdtb.".replace("N S", "NS").encode()
    with suppress(UnusableError):
        read_torch_zip(zipped(pickled))
    assert (dict(vars(torch_zip._tensor)), dict(vars(torch_zip._PickledType))) == before
    torch.save({"ids": torch.ones(2)}, tmp_path / "next.pt")
    assert read_torch_zip(tmp_path / "next.pt")["ids"].tolist() == [1, 1]
