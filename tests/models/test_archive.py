from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from virnucpro_tasks.models.archive import check_archive


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    file = tmp_path / "model.pt"
    torch.save({"weight": torch.arange(1000.0)}, file)
    return file


def test_what_torch_saves_passes(saved: Path) -> None:
    check_archive(saved)


def test_without_checksums_it_passes_too(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"weight": torch.arange(1000.0)}, file)
    finally:
        torch.serialization.set_crc32_options(True)
    check_archive(file)


def test_one_flipped_bit_in_the_numbers_is_found(saved: Path, refused: Callable) -> None:
    content = bytearray(saved.read_bytes())
    content[content.index(torch.tensor(500.0).numpy().tobytes())] ^= 1
    saved.write_bytes(content)
    torch.load(saved, mmap=True, weights_only=True)  # torch itself does not notice it
    assert "damaged" in refused(saved, check_archive, saved).what


def test_compressed_records_are_refused(saved: Path, refused: Callable) -> None:
    with zipfile.ZipFile(saved) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    assert "packed again" in refused(saved, check_archive, saved).what


def test_records_that_share_their_bytes_are_refused(tmp_path: Path, refused: Callable) -> None:
    file = tmp_path / "bomb.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data", b"x" * 100_000)
        archive.filelist *= 30
    assert "overlap" in refused(file, check_archive, file).what


def test_any_damaged_byte_of_the_directory_is_an_error_of_ours_or_none(saved: Path) -> None:
    from virnucpro_tasks.errors import BundleError

    content = saved.read_bytes()
    start = content.index(b"PK\x01\x02")
    for place in range(start, len(content)):
        saved.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            check_archive(saved)
        except BundleError as error:
            assert error.hint
