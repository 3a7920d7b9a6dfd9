"""A Redis and hosts in network namespaces of their own, each host at a cable that can be pulled. Needs no root."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

PORT = 6379
READY_SECONDS = 10.0
PROGRAMS = ("unshare", "nsenter", "ip")


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace, which lasts as long as the process `pid`."""

    pid: int

    @property
    def prefix(self) -> list[str]:
        """What is put before a command line to run it there; its process id is the command's."""
        return ["nsenter", "-t", str(self.pid), "-U", "-n", "--preserve-credentials", "--"]

    def run(self, *command: str) -> None:
        """Run a command there. Raises CalledProcessError."""
        subprocess.run([*self.prefix, *command], check=True, capture_output=True)


@dataclass(frozen=True, slots=True)
class Host:
    """A host whose cable ends at the interface `plug` of Redis's namespace; `url` is how it reaches Redis."""

    namespace: Namespace
    redis: Namespace
    plug: str
    url: str

    @property
    def prefix(self) -> list[str]:
        """What is put before a command line to run it on this host."""
        return self.namespace.prefix

    def cut(self) -> None:
        """Pull the cable: nothing passes, and no connection is closed."""
        self.redis.run("ip", "link", "set", self.plug, "down")

    def mend(self) -> None:
        """Put the cable back."""
        self.redis.run("ip", "link", "set", self.plug, "up")


def refusal() -> str:
    """Why there are no such namespaces here; "" if there are."""
    if absent := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"no {' and no '.join(absent)}"
    try:
        with hosts(1):
            return ""
    except (OSError, subprocess.CalledProcessError, RuntimeError) as error:
        return f"no network namespaces: {error}"


@contextmanager
def hosts(count: int) -> Iterator[tuple[Namespace, list[Host]]]:
    """The namespace of Redis, and so many hosts at it."""
    with ExitStack() as stack:
        redis = stack.enter_context(_namespace(["unshare", "--user", "--map-root-user", "--net"]))
        found = []
        for number in range(1, count + 1):
            host = stack.enter_context(_namespace([*redis.prefix, "unshare", "--net"]))
            plug, net = f"host{number}", f"10.77.{number}"
            redis.run("ip", "link", "add", "name", plug, "type", "veth", "peer", "name", "eth0", "netns", str(host.pid))
            redis.run("ip", "addr", "add", f"{net}.1/24", "dev", plug)
            redis.run("ip", "link", "set", plug, "up")
            host.run("ip", "addr", "add", f"{net}.2/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                host.run("ip", "link", "set", device, "up")
            found.append(Host(host, redis, plug, f"redis://{net}.1:{PORT}/0"))
        yield redis, found


def server_at(program: Path, redis: Namespace, folder: Path) -> Path:
    """A program in `folder` that runs the server `program` in the namespace `redis`, where its hosts reach it."""
    script = folder / "server-in-namespace"
    options = ["--port", str(PORT), "--bind", "0.0.0.0", "--protected-mode", "no"]
    script.write_text(f'#!/bin/sh\nexec {shlex.join([*redis.prefix, str(program), *options])} "$@"\n')
    script.chmod(0o755)
    return script


@contextmanager
def _namespace(command: list[str]) -> Iterator[Namespace]:
    process = subprocess.Popen([*command, "sleep", "infinity"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n":
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                said = process.communicate()[1].decode(errors="replace").strip()
                raise RuntimeError(said or "it does not begin")
            time.sleep(0.01)
        yield Namespace(process.pid)
    finally:
        process.kill()
        process.communicate()
