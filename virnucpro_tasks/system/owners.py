"""Who made a file or folder, and whether that process still runs: here, in another container, or on another host.

No single sign holds everywhere, so a mark carries several. A process id means something only on the same host, in the
same boot and in the same namespace of processes; there its start time tells it from a later process with its number.
Elsewhere a lock of the system (flock), where the file system has one, tells that the maker lives. What neither can tell
is `UNKNOWN`, and the caller goes by the time at which the mark was last renewed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import pwd
import re
import secrets
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Self

LONGEST_COMMAND = 200
"""Characters of a command line that a mark keeps."""

_LONGEST_NAME_BYTES = 100
"""Longest part of a name in a temporary one, which has about 40 bytes more; some file systems take 143 at most."""

_NAME = re.compile(r"\..+\.(?P<pid>\d+)-(?P<started>\d+)\.(?P<place>[0-9a-f]{8})[0-9a-f]{8}\.tmp", re.DOTALL)
_START_FIELD, _STATE_FIELD = 19, 0
_NOT_SUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_ENDED_STATES = frozenset("ZXx")
_WRITTEN_SECONDS = 1.0
"""An empty mark is one that is being written, for at most so long."""


class Life(Enum):
    """Whether the maker of a file still runs."""

    RUNNING = "running"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in which process ids mean the same: a host, one of its boots, a namespace of processes (a container)."""

    host: str
    boot_id: str
    pid_namespace: str

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits for names of files."""
        return hashlib.sha256("\n".join((self.host, self.boot_id, self.pid_namespace)).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Maker:
    """The process that made a file or folder. `started` is in ticks since the boot; `token` is the mark's own, and
    `follows` that of a mark in whose place it is.
    """

    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    started: int
    user: str
    command: str
    since: str
    token: str
    follows: str
    is_flocked: bool

    @property
    def place(self) -> Place:
        return Place(self.host, self.boot_id, self.pid_namespace)

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since}: {self.command}"


@dataclass(frozen=True, slots=True)
class Found:
    """A mark as it was found: its maker, None if it cannot be read, whether that runs, and when it was last renewed.

    `renewed_at` is in seconds by the clock of the file system.
    """

    maker: Maker | None
    life: Life
    renewed_at: float

    def __str__(self) -> str:
        return "an unknown process" if self.maker is None else str(self.maker)


class Mark:
    """A file that names the process that made it, for as long as that has it open."""

    def __init__(self, file: Path, maker: Maker, descriptor: int) -> None:
        self.file = file
        self.maker = maker
        self._descriptor = descriptor

    @classmethod
    def create(cls, file: Path, *, follows: str = "") -> Self:
        """Make the mark of this process. Raises FileExistsError if there is one; of several makers one succeeds.

        Raises OSError if the file system refuses it, and then leaves none.
        """
        descriptor = _open_new(file)
        try:
            maker = this_maker(follows=follows, is_flocked=_flock(descriptor, fcntl.LOCK_EX))
            os.write(descriptor, json.dumps(asdict(maker)).encode())
        except BaseException:
            file.unlink(missing_ok=True)
            os.close(descriptor)
            raise
        return cls(file, maker, descriptor)

    def renew(self) -> None:
        """Set the time at which the mark was last renewed to now. Raises OSError."""
        try:
            os.utime(self._descriptor)
        except OSError:
            # Writing a byte that is there already does the same.
            os.pwrite(self._descriptor, b"{", 0)

    def is_ours(self) -> bool:
        """Whether the file is still there and still this mark."""
        try:
            maker = read_mark(self.file).maker
        except OSError:
            return False
        return maker is not None and maker.token == self.maker.token

    def close(self) -> None:
        """Leave the file as it is; from now on its maker counts as gone where only the lock of the system tells."""
        with suppress(OSError):
            os.close(self._descriptor)

    def remove(self) -> None:
        """Remove the file, if it is still this mark."""
        if self.is_ours():
            with suppress(OSError):
                self.file.unlink()
        self.close()


def read_mark(file: Path) -> Found:
    """Read a mark. Raises OSError, FileNotFoundError among them; a symbolic link is none."""
    deadline = time.monotonic() + _WRITTEN_SECONDS
    while True:
        descriptor = _open(file)
        try:
            renewed_at = os.fstat(descriptor).st_mtime
            maker = _parsed(os.read(descriptor, 1 << 16))
            if maker is not None or time.monotonic() > deadline:
                return Found(maker, Life.UNKNOWN if maker is None else _life(maker, descriptor), renewed_at)
        finally:
            os.close(descriptor)
        time.sleep(0.05)


def this_maker(*, follows: str = "", is_flocked: bool = False) -> Maker:
    """This process as a maker, with a new token."""
    place = this_place()
    return Maker(
        host=place.host,
        boot_id=place.boot_id,
        pid_namespace=place.pid_namespace,
        pid=os.getpid(),
        started=_own_start(os.getpid()),
        user=_user(),
        command=" ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:LONGEST_COMMAND],
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        token=secrets.token_hex(8),
        follows=follows,
        is_flocked=is_flocked,
    )


@cache
def this_place() -> Place:
    """The place of this process; parts that the system does not tell are empty."""
    boot_id = pid_namespace = ""
    with suppress(OSError):
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with suppress(OSError):
        pid_namespace = str(Path("/proc/self/ns/pid").readlink())
    return Place(socket.gethostname(), boot_id, pid_namespace)


def temporary_name(name: str) -> str:
    """A new name, that begins with a dot, for the unfinished form of a file or folder `name`; it tells who made it."""
    fitting = os.fsencode(name)[:_LONGEST_NAME_BYTES].decode(errors="ignore")
    pid = os.getpid()
    return f".{fitting}.{pid}-{_own_start(pid)}.{this_place().digest}{secrets.token_hex(4)}.tmp"


def life_of_name(name: str) -> Life | None:
    """Whether the process that made a `temporary_name` still runs; None for a name of another form."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    if found["place"] != this_place().digest or not this_place().boot_id:
        return Life.UNKNOWN
    return _life_here(int(found["pid"]), int(found["started"]))


def _life(maker: Maker, descriptor: int) -> Life:
    here = this_place()
    life = Life.UNKNOWN
    if maker.place == here and here.boot_id and here.pid_namespace:
        life = _life_here(maker.pid, maker.started)
    if life is not Life.UNKNOWN or not maker.is_flocked:
        return life
    # Shared, so that two who ask do not take each other for the maker.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return Life.RUNNING
    except OSError:
        return Life.UNKNOWN
    # Another kernel may not see the lock of the maker.
    return Life.GONE if maker.boot_id == here.boot_id and here.boot_id else Life.UNKNOWN


def _life_here(pid: int, started: int) -> Life:
    facts = _process(pid)
    if facts is None:
        # The processes of other users may be hidden.
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return Life.GONE
        except OSError:
            return Life.UNKNOWN
        return Life.UNKNOWN
    state, start = facts
    return Life.RUNNING if start == started and state not in _ENDED_STATES else Life.GONE


def _process(pid: int) -> tuple[str, int] | None:
    """State and start time of a process; None if there is none, or it is hidden."""
    try:
        # The name of the program, in brackets, may hold anything.
        parts = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return parts[_STATE_FIELD], int(parts[_START_FIELD])
    except (OSError, ValueError, IndexError):
        return None


@cache
def _own_start(pid: int) -> int:
    """Start time of this process; `pid` tells it from one that it was forked from."""
    facts = _process(pid)
    return 0 if facts is None else facts[1]


@cache
def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _parsed(content: bytes) -> Maker | None:
    try:
        fields = json.loads(content)
        maker = Maker(**fields)
    except (ValueError, TypeError, RecursionError):
        return None
    kinds = {name: type(value) for name, value in asdict(maker).items()}
    numbers, flags = {"pid", "started"}, {"is_flocked"}
    fits = all(kind is (int if name in numbers else bool if name in flags else str) for name, kind in kinds.items())
    return maker if fits else None


def _open_new(file: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(file, flags | os.O_EXCL, 0o666)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
    # The nearest thing: two makers at the same moment may both succeed, and the second one's mark counts.
    if os.path.lexists(file):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(file))
    return os.open(file, flags | os.O_TRUNC, 0o666)


def _open(file: Path) -> int:
    try:
        # NFS gives a lock only to who may write.
        return os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
    return os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
