"""Opens input files, plain or compressed; the compression is told by the first bytes, never by the name."""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from virnucpro_tasks.errors import EmptyInputError, InputError
from virnucpro_tasks.reads.signatures import HEAD_BYTES, refuse_other_formats
from virnucpro_tasks.system.file_operations import by_name

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_PACKED_BLOCK_BYTES = 256 * 1024
_WINDOW_LOG = 27
_WINDOW_BYTES = 1 << _WINDOW_LOG
"""The part of its output that a decoder may keep in memory; only rare settings of xz and zstd need more."""
_DECODER_BYTES = 2 * _WINDOW_BYTES
_ZSTD_SKIPPABLE = tuple(bytes([byte]) + b"\x2a\x4d\x18" for byte in range(0x50, 0x60))


class ByteStream(Protocol):
    """A source of bytes that is read once, in order."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty only at the end."""


class _Decoder(Protocol):
    """The interface of `bz2.BZ2Decompressor`: decodes one compressed stream, with bounded output per call."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipDecoder:
    """Gives zlib the interface of `_Decoder`."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        plain = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self.needs_input = not self._zlib.unconsumed_tail and len(plain) < max_length
        return plain


def _xz_decoder() -> _Decoder:
    return lzma.LZMADecompressor(memlimit=_DECODER_BYTES)


def _zstd_decoder() -> _Decoder:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})


#: name: (signatures, decoder)
_COMPRESSIONS: dict[str, tuple[tuple[bytes, ...], Callable[[], _Decoder]]] = {
    "gzip": ((b"\x1f\x8b",), _GzipDecoder),
    "bzip2": ((b"BZh",), bz2.BZ2Decompressor),
    "xz": ((b"\xfd7zXZ\x00",), _xz_decoder),
    "zstd": ((b"\x28\xb5\x2f\xfd", *_ZSTD_SKIPPABLE), _zstd_decoder),
}
_DAMAGE = (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, EOFError, ValueError)


class _Unpacked:
    """Decompresses a file, all its members one after another."""

    def __init__(self, packed: ByteStream, *, compression: str, name: str) -> None:
        self._packed = _Rejoined(b"", packed)
        self._name = name
        self._compression = compression
        self._magics, self._make_decoder = _COMPRESSIONS[compression]
        self._decoder = self._make_decoder()
        self._ended = False

    def read(self, size: int, /) -> bytes:
        while not self._ended:
            if self._decoder.eof:
                self._next_member()
                continue
            block = self._packed.read(_PACKED_BLOCK_BYTES) if self._decoder.needs_input else b""
            at_end = self._decoder.needs_input and not block
            if at_end:
                raise InputError(
                    f"the {self._compression} compressed data ends early",
                    file=self._name,
                    hint="the file was cut off; copy or download it again",
                )
            try:
                plain = self._decoder.decompress(block, size)
            except _DAMAGE as error:
                if "memory" in str(error).lower():
                    raise InputError(
                        f"the {self._compression} compressed data takes too much memory to unpack",
                        file=self._name,
                        hint=f"compress it with a window of at most {_WINDOW_BYTES // 2**20} MiB",
                    ) from None
                if "dictionary" in str(error).lower():
                    raise InputError(
                        f"the {self._compression} compressed data needs the dictionary that it was compressed with",
                        file=self._name,
                        hint="unpack it, or compress it without a dictionary",
                    ) from None
                raise InputError(
                    f"the {self._compression} compressed data is damaged: {error}",
                    file=self._name,
                    hint="copy or download it again",
                ) from None
            if plain:
                return plain
        return b""

    def _next_member(self) -> None:
        rest = self._decoder.unused_data.lstrip(b"\0")
        while len(rest) < HEAD_BYTES and (block := self._packed.read(_PACKED_BLOCK_BYTES)):
            rest = (rest + block).lstrip(b"\0")
        if not rest:
            self._ended = True
        elif rest.startswith(self._magics):
            self._decoder = self._make_decoder()
            self._packed.put_back(rest)
        else:
            raise InputError(
                f"something else follows the end of the {self._compression} compressed data",
                file=self._name,
                hint="the file is damaged, or was joined with one that is not compressed",
            )


class _Rejoined:
    """A stream into which bytes already read can be put back."""

    def __init__(self, head: bytes, tail: ByteStream) -> None:
        self._head = head
        self._tail = tail

    def put_back(self, taken: bytes) -> None:
        """Return these bytes again before all others."""
        # Not a new wrapper each time: they would nest as deep as the file has members.
        self._head = taken + self._head

    def read(self, size: int, /) -> bytes:
        if self._head:
            taken, self._head = self._head[:size], self._head[size:]
            return taken
        return self._tail.read(size)


class _Checked:
    """A file handle whose errors while reading name the file."""

    def __init__(self, handle: BinaryIO, *, name: str) -> None:
        self._handle = handle
        self._name = name

    def read(self, size: int, /) -> bytes:
        try:
            return self._handle.read(size)
        except OSError as error:
            raise InputError(f"the file cannot be read: {error.strerror}", file=self._name) from None


@dataclass(frozen=True, slots=True)
class InputStream:
    """The plain bytes of an open input file. `head` is their beginning, which `read` gives too; `compression` is the
    name of that of the file, None if there is none.
    """

    plain: ByteStream
    head: bytes
    compression: str | None

    def read(self, size: int, /) -> bytes:
        return self.plain.read(size)


@contextmanager
def open_input(path: Path, *, name: str) -> Iterator[InputStream]:
    """Open a plain, gzip, bzip2, xz or zstd file (also of several members) and yield a stream of its plain bytes.

    Errors call the file `name`. Raises EmptyInputError if it is empty, and InputError, at once or while reading, if it
    is missing, a directory, unreadable, damaged, cut off, compressed twice, or of a format that is known and not read.
    """
    try:
        handle = by_name(lambda: path.open("rb"), path)
    except FileNotFoundError:
        raise InputError("there is no such file", file=name) from None
    except IsADirectoryError:
        raise InputError("this is a directory, not a file", file=name, hint="name the files in it") from None
    except (OSError, ValueError) as error:
        # ValueError: a path that no file system can hold, for example one with a NUL byte.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"the file cannot be opened: {reason}", file=name) from None
    with handle:
        stream, head = _peeked(_Checked(handle, name=name))
        if not head:
            raise EmptyInputError("the file is empty", file=name)
        compression = _compression_of(head)
        if compression is not None:
            stream, head = _peeked(_Unpacked(stream, compression=compression, name=name))
            if not head:
                raise EmptyInputError("the file is empty once unpacked", file=name)
            if (inner := _compression_of(head)) is not None:
                raise InputError(
                    f"the file is compressed twice: {inner} inside {compression}", file=name, hint="unpack it once"
                )
        refuse_other_formats(head, name=name)
        yield InputStream(stream, head, compression)


def is_compressed(path: Path) -> bool:
    """Whether a file is compressed, by its first bytes. Raises OSError."""
    with by_name(lambda: path.open("rb"), path) as handle:
        return _compression_of(handle.read(HEAD_BYTES)) is not None


def _peeked(stream: ByteStream) -> tuple[ByteStream, bytes]:
    """The first HEAD_BYTES or more of a stream, and a stream that gives them again before the rest."""
    head = b""
    while len(head) < HEAD_BYTES and (block := stream.read(HEAD_BYTES)):
        head += block
    return _Rejoined(head, stream), head


def _compression_of(head: bytes) -> str | None:
    return next((name for name, (magics, *_) in _COMPRESSIONS.items() if head.startswith(magics)), None)
