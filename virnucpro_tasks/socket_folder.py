"""A place for the unix socket of a private server: a folder that takes one, or else a port on loopback."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.system.file_operations import is_utf8
from virnucpro_tasks.system.temporary import TemporaryFolder

SOCKET_NAME = "redis.sock"
SOCKET_PATH_BYTES = 107
"""Longest path of a unix socket on Linux."""

LOOPBACK = "127.0.0.1"
PROBE_SECONDS = 5.0


def make_socket_folder(near: Path | None = None) -> TemporaryFolder | None:
    """Make a folder (mode 700) that takes a unix socket: in `near`, else in a temporary folder; None if none does."""
    for parent in (near, os.environ.get("XDG_RUNTIME_DIR"), _temporary_folder(), "/tmp"):
        if not parent:
            continue
        try:
            folder = TemporaryFolder("vnp-", parent=Path(parent).absolute())
        except OSError:
            continue
        if takes_a_socket(folder.path / SOCKET_NAME):
            return folder
        folder.remove()
    return None


def takes_a_socket(path: Path) -> bool:
    """Return whether a server can listen at `path`: some file systems take no sockets, and the length is limited.

    A path that is no UTF-8 is refused too, because the URL of a broker cannot hold it.
    """
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES or not is_utf8(path):
        return False
    try:
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind(os.fsencode(path))
            server.listen()
            client.settimeout(PROBE_SECONDS)
            client.connect(os.fsencode(path))
    except OSError:
        return False
    finally:
        with suppress(OSError):
            path.unlink()
    return True


def free_port() -> int:
    """Return a port of loopback that nobody listens on now. Raises BrokerError if there is no loopback."""
    with socket.socket(socket.AF_INET) as probe:
        try:
            probe.bind((LOOPBACK, 0))
        except OSError as error:
            raise BrokerError(
                f"no folder takes a unix socket, and loopback cannot be used: {error.strerror or error}",
                hint="set TMPDIR to a writable folder with a short path",
            ) from error
        return int(probe.getsockname()[1])


def _temporary_folder() -> str | None:
    try:
        return tempfile.gettempdir()
    except OSError:
        return None
