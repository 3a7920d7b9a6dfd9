from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.filekind import FileKind, file_kind

TENSORS = {"weight": torch.zeros(64)}


def test_kinds_are_known_by_content_not_by_name(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    torch.save(TENSORS, file)
    assert file_kind(file) is FileKind.TORCH_ZIP
    torch.save(TENSORS, file, _use_new_zipfile_serialization=False)
    assert file_kind(file) is FileKind.TORCH_LEGACY
    save_file(TENSORS, file)
    assert file_kind(file) is FileKind.SAFETENSORS
    file.write_text(">read1\nACGT\n")
    assert file_kind(file) is FileKind.OTHER


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n", "git-LFS pointer"),
        (b"\n<!DOCTYPE html><html><body>404</body></html>", "web page"),
        (b"<HTML>", "web page"),
    ],
)
def test_what_stands_in_for_a_download_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "pytorch_model.bin"
    file.write_bytes(content)
    with pytest.raises(BundleError, match=message) as caught:
        file_kind(file)
    assert str(file) in str(caught.value)


def test_cut_off_zip(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    torch.save(TENSORS, file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BundleError, match="cut off"):
        file_kind(file)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="No such file"):
        file_kind(tmp_path / "absent")
