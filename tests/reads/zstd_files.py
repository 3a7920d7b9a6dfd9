"""Content compressed with zstd in several ways."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


def zstd_bytes(data: bytes) -> bytes:
    return zstd.compress(data)


def zstd_with_checksum(data: bytes) -> bytes:
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


def zstd_with_window(data: bytes, *, window_log: int) -> bytes:
    """A frame that does not state its size, so that a decoder needs the whole window."""
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: window_log})
    return packer.compress(data) + packer.flush()


def zstd_with_dictionary(data: bytes) -> bytes:
    """A frame that only the dictionary opens with which it was made."""
    samples = [f">read {number} of a sample\nACGTTGCATGCA{number:08d}\n".encode() for number in range(2_000)]
    return zstd.compress(data, zstd_dict=zstd.train_dict(samples, 2_000))
