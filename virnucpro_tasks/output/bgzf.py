"""Writes BGZF, the gzip of samtools: blocks that are compressed each by itself, so several at once."""

from __future__ import annotations

import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import BinaryIO

BLOCK_BYTES = 65_280
"""Bytes in a block before compression, as samtools writes it."""

END_MARK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block at the end of a file."""

COMPRESSING_THREADS = 4
BLOCKS_PER_CALL = 16
"""Blocks that a thread compresses at once."""

_HEADER = bytes.fromhex("1f8b08040000000000ff060042430200")
"""Header of a gzip member without a name or a time, with an extra field: the size of the block, less 1."""

_LONG_RUNS = (b"N" * 64, b"n" * 64)
"""In a block with one of these it is worth to search for runs, by which compressing takes half as long again."""

_FRAME_BYTES = len(_HEADER) + 2 + 8


class BgzfWriter:
    """Writes compressed bytes to `file`, which stays open. The bytes do not depend on how the content is cut.

    Letters of sequences are coded by their frequencies, and runs of one letter as such where there are long ones of
    unknown bases: searching for other repeats takes ten times as long, and in nucleotides finds next to none. Threads
    start with the first full blocks.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._held = bytearray()
        self._threads = ThreadPoolExecutor(COMPRESSING_THREADS)
        self._waiting: deque[Future[bytes]] = deque()

    def __enter__(self) -> BgzfWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._threads:
            if error is None:
                self._compress(bytes(self._held))
                self._write(leaving=0)
                self._file.write(END_MARK)

    def write(self, content: bytes) -> None:
        """Add `content`."""
        self._held += content
        call_bytes = BLOCKS_PER_CALL * BLOCK_BYTES
        if len(self._held) < call_bytes:
            return
        whole = len(self._held) // call_bytes * call_bytes
        for start in range(0, whole, call_bytes):
            self._compress(bytes(self._held[start : start + call_bytes]))
            self._write(leaving=2 * COMPRESSING_THREADS)
        del self._held[:whole]

    def _compress(self, content: bytes) -> None:
        self._waiting.append(self._threads.submit(bgzf_blocks, content))

    def _write(self, *, leaving: int) -> None:
        """Write what is compressed, but for the last `leaving` calls."""
        while len(self._waiting) > leaving:
            self._file.write(self._waiting.popleft().result())


def bgzf_blocks(content: bytes) -> bytes:
    """`content` as BGZF blocks, without the end mark."""
    return b"".join(_block(content[start : start + BLOCK_BYTES]) for start in range(0, len(content), BLOCK_BYTES))


def _block(content: bytes) -> bytes:
    has_runs = any(run in content for run in _LONG_RUNS)
    strategy = zlib.Z_RLE if has_runs else zlib.Z_HUFFMAN_ONLY
    compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    packed = compressor.compress(content) + compressor.flush()
    size = (len(packed) + _FRAME_BYTES - 1).to_bytes(2, "little")
    end = zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
    return _HEADER + size + packed + end
