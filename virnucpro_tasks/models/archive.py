"""The zip archive around a torch file: is it whole, and no larger than it looks?"""

from __future__ import annotations

import zipfile
from pathlib import Path

from virnucpro_tasks.errors import BundleError

_BLOCK_BYTES = 1 << 20
_ENCRYPTED = 0x1


def check_archive(path: Path) -> None:
    """Raise BundleError if a record is compressed, encrypted, or differs from the checksum stored beside it.

    torch stores its records as they are, and maps them into memory without looking at the checksums.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            if any(record.compress_type != zipfile.ZIP_STORED or record.flag_bits & _ENCRYPTED for record in records):
                raise BundleError(
                    "it was packed again, torch does not compress its files",
                    path=path,
                    hint="unpack it, or download the original",
                )
            if sum(record.file_size for record in records) > path.stat().st_size:
                raise BundleError("its records overlap", path=path, hint="download it again")
            for record in records:
                # torch writes zeros if it was told to leave checksums out.
                if record.CRC:
                    _read_through(archive, record)
    # A damaged directory of records makes the reader raise many things; unknown compression is a RuntimeError too.
    except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"it is damaged ({error})", path=path, hint="download it again") from None


def _read_through(archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> None:
    with archive.open(record) as handle:
        while handle.read(_BLOCK_BYTES):
            pass
