"""Opening files: every compression, damaged in every way, and files of other formats."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from reads.zstd_files import SKIPPABLE_FRAME, zstd_bytes, zstd_with_checksum, zstd_with_dictionary, zstd_with_window

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.sources import open_input

PLAIN = b">a\nACGT\n" * 5_000
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data),
    "bzip2": bz2.compress,
    "xz": partial(lzma.compress, preset=0),
    "zstd": zstd_bytes,
}
each_compression = pytest.mark.parametrize("compression", COMPRESS)


def read_back(path: Path, *, size: int = 1 << 20) -> bytes:
    pieces = []
    with open_input(path, name="given name") as stream:
        while piece := stream.read(size):
            pieces.append(piece)
    return b"".join(pieces)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_back(path)
    assert caught.value.file == "given name"
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "reads.txt"


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_plain(file: Path, size: int) -> None:
    file.write_bytes(PLAIN)
    assert read_back(file, size=size) == PLAIN


@each_compression
def test_compressed(file: Path, compression: str) -> None:
    file.write_bytes(COMPRESS[compression](PLAIN))
    assert read_back(file) == PLAIN


@each_compression
def test_several_members_with_padding_between(file: Path, compression: str) -> None:
    member = COMPRESS[compression](PLAIN)
    file.write_bytes(member + member + bytes(4_096))
    assert read_back(file) == PLAIN * 2


@each_compression
def test_many_tiny_members(file: Path, compression: str) -> None:
    # More than Python nests calls: blocked gzip of a sequencer has many thousands.
    members = [b">r%d\nACGT\n" % number for number in range(1_100)]
    file.write_bytes(b"".join(COMPRESS[compression](member) for member in members))
    assert read_back(file) == b"".join(members)


@each_compression
def test_cut_off_anywhere(file: Path, compression: str) -> None:
    packed = COMPRESS[compression](os.urandom(3_000).hex().encode())
    for size in (len(packed) - 1, len(packed) // 2, 20):
        file.write_bytes(packed[:size])
        assert "compressed data ends early" in refusal(file)


@each_compression
def test_cut_off_in_the_second_member(file: Path, compression: str) -> None:
    member = COMPRESS[compression](PLAIN)
    file.write_bytes(member + member[:-3])
    assert "compressed data ends early" in refusal(file)


@pytest.mark.parametrize("compression", ["gzip", "bzip2", "xz"])
def test_damaged_inside(file: Path, compression: str) -> None:
    packed = bytearray(COMPRESS[compression](os.urandom(3_000).hex().encode()))
    packed[len(packed) // 2] ^= 0xFF
    file.write_bytes(packed)
    assert "damaged" in refusal(file) or "ends early" in refusal(file)


def test_zstd_that_needs_a_dictionary(file: Path) -> None:
    file.write_bytes(zstd_with_dictionary(PLAIN))
    assert "needs the dictionary that it was compressed with" in refusal(file)


def test_damaged_zstd_with_checksum(file: Path) -> None:
    packed = bytearray(zstd_with_checksum(os.urandom(3_000)))
    packed[-1] ^= 0xFF
    file.write_bytes(packed)
    assert "damaged" in refusal(file)


@pytest.mark.parametrize("places", [(0,), (1,), (2,), (0, 1, 2)])
def test_zstd_with_skippable_frames(file: Path, places: tuple[int, ...]) -> None:
    frames = [COMPRESS["zstd"](PLAIN), COMPRESS["zstd"](PLAIN)]
    for place in reversed(places):
        frames.insert(place, SKIPPABLE_FRAME)
    file.write_bytes(b"".join(frames))
    assert read_back(file) == PLAIN * 2


def test_zstd_cut_off_in_a_skippable_frame(file: Path) -> None:
    file.write_bytes(COMPRESS["zstd"](PLAIN) + SKIPPABLE_FRAME[:-2])
    assert "ends early" in refusal(file)


@each_compression
def test_trailing_garbage(file: Path, compression: str) -> None:
    file.write_bytes(COMPRESS[compression](PLAIN) + b">b\nACGT\n")
    assert "something else follows" in refusal(file)


@each_compression
def test_compressed_twice(file: Path, compression: str) -> None:
    file.write_bytes(COMPRESS[compression](gzip.compress(PLAIN)))
    assert f"compressed twice: gzip inside {compression}" in refusal(file)


@each_compression
def test_empty_once_unpacked(file: Path, compression: str) -> None:
    file.write_bytes(COMPRESS[compression](b""))
    assert "empty once unpacked" in refusal(file)


@each_compression
def test_output_of_one_read_is_bounded(file: Path, compression: str) -> None:
    file.write_bytes(COMPRESS[compression](b">a\n" + b"A" * 20_000_000))
    total = 0
    with open_input(file, name="x") as stream:
        while piece := stream.read(1 << 20):
            assert len(piece) <= 1 << 20
            total += len(piece)
    assert total == 20_000_003


def test_windows_that_take_too_much_memory(file: Path) -> None:
    packed_by_zstd = zstd_with_window(PLAIN, window_log=28)
    packed_by_xz = lzma.compress(PLAIN, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 3 << 27}])
    for packed in (packed_by_zstd, packed_by_xz):
        file.write_bytes(packed)
        assert "takes too much memory to unpack (compress it with a window of at most 128 MiB)" in refusal(file)


def test_the_largest_window_allowed(file: Path) -> None:
    packed_by_xz = lzma.compress(PLAIN, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 27}])
    for packed in (zstd_with_window(PLAIN, window_log=27), packed_by_xz):
        file.write_bytes(packed)
        assert read_back(file) == PLAIN


def test_empty_file(file: Path) -> None:
    file.touch()
    assert "the file is empty" in refusal(file)


def test_missing_file(file: Path) -> None:
    assert "no such file" in refusal(file)


def test_path_that_no_file_system_holds(tmp_path: Path) -> None:
    assert "cannot be opened: embedded null byte" in refusal(tmp_path / "a\0b")


def test_directory(tmp_path: Path) -> None:
    assert "a directory" in refusal(tmp_path)


def test_unreadable_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in refusal(file)


def test_reading_error_names_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", lambda *_, **__: Broken())
    assert "Input/output error" in refusal(file)


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.fasta", PLAIN)
    return buffer.getvalue()


def tar_bytes() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("a.fasta")
        member.size = len(PLAIN)
        archive.addfile(member, io.BytesIO(PLAIN))
    return buffer.getvalue()


OTHER_FORMATS = {
    "zip archive": zip_bytes(),
    "tar archive": tar_bytes(),
    "CRAM": b"CRAM\x03\x00" + bytes(100),
    "SAM": b"@HD\tVN:1.6\n@SQ\tSN:a\tLN:4\n",
    "PDF": b"%PDF-1.7\n",
    "HTML": b"\n <!DOCTYPE html><html><body>404</body></html>",
    "GenBank": b"LOCUS       NC_001422   5386 bp\n",
    "EMBL": b"ID   X56734; SV 1; linear; mRNA; STD; PLN; 1859 BP.\n",
    "UTF-16": "\ufeff>a\nACGT\n".encode("utf-16-le"),
    "UTF-16 or": ">a\nACGT\n".encode("utf-16-be"),
    "UTF-32": "\ufeff>a\nACGT\n".encode("utf-32-be"),
    "HDF5": b"\x89HDF\r\n\x1a\n",
    "SRA": b"NCBI.sra" + bytes(40),
    "GFF": b"##gff-version 3\n",
    "VCF": b"##fileformat=VCFv4.2\n",
    "7-Zip": b"7z\xbc\xaf\x27\x1c\x00",
    "(.Z)": b"\x1f\x9d\x90",
}


@pytest.mark.parametrize("what", OTHER_FORMATS)
def test_other_formats_are_named(file: Path, what: str) -> None:
    file.write_bytes(OTHER_FORMATS[what])
    message = refusal(file)
    assert what in message
    assert "FASTA" in message


@each_compression
def test_a_compressed_tar_is_named(file: Path, compression: str) -> None:
    file.write_bytes(COMPRESS[compression](tar_bytes()))
    assert "tar archive" in refusal(file)
