"""Checks the zip archive of a torch file: complete, undamaged, and not larger when read."""

from __future__ import annotations

import zipfile
from pathlib import Path

from virnucpro_tasks.errors import BundleError

_BLOCK_BYTES = 1 << 20
_ENCRYPTED = 0x1


def check_archive(path: Path) -> None:
    """Raise BundleError if a record is compressed, encrypted, or differs from the checksum stored beside it.

    torch stores its records uncompressed, and maps them into memory without checking the checksums.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            if any("/code/" in record.filename or record.filename.endswith("/constants.pkl") for record in records):
                raise BundleError(
                    "this is a program (TorchScript), and no code of a model is run",
                    path=path,
                    hint="get the weights as a state dict or as safetensors",
                )
            if any(record.compress_type != zipfile.ZIP_STORED or record.flag_bits & _ENCRYPTED for record in records):
                raise BundleError(
                    "it was packed again, torch does not compress its files",
                    path=path,
                    hint="unpack it, or download the original",
                )
            if sum(record.file_size for record in records) > path.stat().st_size:
                raise BundleError("its records overlap", path=path, hint="download it again")
            for record in records:
                # torch writes 0 if it was told to leave checksums out.
                if record.CRC:
                    _read_through(archive, record)
    # A damaged archive makes zipfile raise errors of many classes; unknown compression is a RuntimeError.
    except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"it is damaged ({error})", path=path, hint="download it again") from None


def _read_through(archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> None:
    with archive.open(record) as handle:
        while handle.read(_BLOCK_BYTES):
            pass
