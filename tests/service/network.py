"""A network that can be cut: a forwarder to the unix socket of Redis, for some of its clients."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

BLOCK_BYTES = 65_536
WAKE_SECONDS = 0.1


class Network:
    """Context manager that forwards connections to `url` to the server's socket, except while it is cut.

    Connections stay open while it is cut, and get no answer, as with a cable that was pulled.
    """

    prefix: tuple[str, ...] = ()
    """What is put before a command line to run it on the host behind this network: it is this host."""

    def __init__(self, server: Path, folder: Path) -> None:
        self._server = server
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "network.sock"
        self._selector = selectors.DefaultSelector()
        self._whole = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._forward, name="network", daemon=True)
        self._listener = socket.socket(socket.AF_UNIX)

    @property
    def url(self) -> str:
        """The URL of Redis through this network."""
        return f"redis+socket://{quote(str(self._path))}?virtual_host=0"

    def __enter__(self) -> Self:
        self._listener.bind(str(self._path))
        self._listener.listen(128)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._whole.set()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self.mend()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def cut(self) -> None:
        """Let nothing pass from now on."""
        self._whole.clear()

    def mend(self) -> None:
        """Let everything pass again, also what was sent meanwhile."""
        self._whole.set()

    def _forward(self) -> None:
        while not self._ending.is_set():
            for key, _ in self._selector.select(WAKE_SECONDS):
                self._whole.wait()
                if key.fileobj is self._listener:
                    self._connect()
                else:
                    self._pass(key.fileobj, key.data)  # type: ignore[arg-type]

    def _connect(self) -> None:
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self._server))
        except OSError:
            client.close()
            server.close()
            return
        self._selector.register(client, selectors.EVENT_READ, server)
        self._selector.register(server, selectors.EVENT_READ, client)

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            if block := one.recv(BLOCK_BYTES):
                other.sendall(block)
                return
        for end in (one, other):
            with suppress(KeyError, ValueError):
                self._selector.unregister(end)
            end.close()
