"""Standard output and standard error of a process: a display that fails, stalls or is gone does not stop its work."""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
import termios
from contextlib import suppress
from typing import TextIO

from virnucpro_tasks.errors import UnwrittenError

DISPLAY_SECONDS = 1.0
"""Time that a stopped terminal or a full pipe has to take a message before the message is dropped."""

PIECE_BYTES = 4096
"""Bytes that a pipe which is ready for writing takes without making the writer wait."""

_ESCAPED = "virnucpro.escaped"


def protect_streams(*, output_is_product: bool = False) -> None:
    """Replace sys.stdout and sys.stderr so that writing to a closed, full, broken or stopped one raises nothing.

    Descriptors 0 to 2 that are closed are occupied, so that no file opened later takes the place of one and receives
    messages. With `output_is_product` an error of standard output raises UnwrittenError, except that its reader has
    gone: what it did not want is dropped. Streams that were replaced before, as tests do, stay.
    """
    codecs.register_error(_ESCAPED, _bytes_or_escapes)
    # Opened the wrong way round, reading and writing fails as it does with a closed one. Messages may vanish.
    _occupy(0, os.O_WRONLY)
    _occupy(1, os.O_RDONLY if output_is_product else os.O_WRONLY)
    _occupy(2, os.O_WRONLY)
    if sys.stdout is sys.__stdout__:
        output = Product(1) if output_is_product else Display(1)
        _replace("stdout", _text(output, sys.stdout, errors=_ESCAPED))
    if sys.stderr is sys.__stderr__:
        _replace("stderr", _text(Display(2), sys.stderr, errors="backslashreplace"))


class Display(io.RawIOBase):
    """A stream of messages for a person, which are dropped where they cannot be written within DISPLAY_SECONDS."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        rest = memoryview(data)
        with suppress(OSError):
            while rest and not _would_stop(self._descriptor) and _is_ready(self._descriptor, DISPLAY_SECONDS):
                rest = rest[os.write(self._descriptor, rest[:PIECE_BYTES]) :]
        return len(data)


class Product(Display):
    """A stream of results: all is written, or UnwrittenError is raised, unless the reader wants no more of it."""

    _reader_is_gone = False

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        rest = memoryview(data)
        while rest and not self._reader_is_gone:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                _is_ready(self._descriptor, None)
            except BrokenPipeError:
                self._reader_is_gone = True
            except OSError as error:
                reason = "it is closed" if error.errno == errno.EBADF else error.strerror
                raise UnwrittenError(f"standard output cannot be written: {reason}") from None
        return len(data)


def _occupy(descriptor: int, flags: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, flags)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)
        os.set_inheritable(descriptor, True)


def _text(raw: Display, former: TextIO | None, *, errors: str) -> io.TextIOWrapper:
    encoding = "utf-8" if former is None else former.encoding
    if former is not None and former.errors not in (None, "strict"):
        errors = former.errors
    return io.TextIOWrapper(raw, encoding, errors, newline="\n", line_buffering=True)  # type: ignore[arg-type]


def _replace(name: str, stream: io.TextIOWrapper) -> None:
    # Both names: logging of Celery writes to the one with underscores.
    setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)


def _is_ready(descriptor: int, seconds: float | None) -> bool:
    """Whether a write would not have to wait, at the latest after so many seconds; with None, wait without limit."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(None if seconds is None else 1000 * seconds))


def _would_stop(descriptor: int) -> bool:
    """Whether writing would stop this process: a background job on a terminal whose user has set `stty tostop`."""
    try:
        in_background = os.tcgetpgrp(descriptor) != os.getpgrp()
        return in_background and bool(termios.tcgetattr(descriptor)[3] & termios.TOSTOP)
    except (OSError, termios.error):
        return False


def _bytes_or_escapes(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode the bytes of a file name that is no text as they are, and characters that the encoding lacks escaped."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)
