"""The real server, started from deploy/redis.conf with what a host would add: users, a port, a data folder."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
INCLUDE = "include /etc/virnucpro/redis-users.conf"
DATA = "dir /var/lib/virnucpro-redis"
PLACEHOLDER = "REPLACE_WITH_THE_SHA256_OF_THE_PASSWORD"
USER, PASSWORD = "virnucpro", "3f1c7d"
ADMIN = "admin"
"""Of the tests only: CONFIG is not among the rights of the user that workers and clients have."""

START_SECONDS = 15


@dataclass(frozen=True)
class Certificate:
    """Files of a server's certificate, its key, and the authority that signed it."""

    chain: Path
    key: Path
    authority: Path


def directive(name: str) -> str:
    """What deploy/redis.conf says once under this name."""
    (value,) = re.findall(rf"^{name} (.+)$", (DEPLOY / "redis.conf").read_text(), re.MULTILINE)
    return str(value)


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started_redis(folder: Path, port: int, *, server: Path, certificate: Certificate | None = None) -> Iterator[str]:
    """Start the server on loopback, with TLS if it has a certificate; yields its URL without user and password."""
    users = (DEPLOY / "redis-users.conf.example").read_text()
    assert users.count(PLACEHOLDER) == 1
    users = users.replace(PLACEHOLDER, hashlib.sha256(PASSWORD.encode()).hexdigest())
    (folder / "users.conf").write_text(f"{users}\nuser {ADMIN} on >{PASSWORD} ~* &* +@all\n")
    content = (DEPLOY / "redis.conf").read_text()
    assert (content.count(INCLUDE), content.count(DATA)) == (1, 1)
    content = content.replace(INCLUDE, f"include {folder / 'users.conf'}").replace(DATA, f"dir {folder}")
    (folder / "redis.conf").write_text(content)
    command = [str(server), str(folder / "redis.conf")]
    if certificate is None:
        command += ["--port", str(port)]
    else:
        command += ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
        command += ["--tls-cert-file", str(certificate.chain), "--tls-key-file", str(certificate.key)]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        options = {"ssl": True, "ssl_ca_certs": str(certificate.authority)} if certificate else {}
        client = redis.Redis("127.0.0.1", port, username=USER, password=PASSWORD, **options)
        _wait_until_up(client, process, folder / "redis.log")
        yield f"127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def _wait_until_up(client: redis.Redis, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            client.ping()
            return
        except redis.exceptions.ConnectionError:
            time.sleep(0.02)
    raise AssertionError(log.read_text())
