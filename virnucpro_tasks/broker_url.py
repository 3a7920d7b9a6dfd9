"""The address of Redis: checked when it is read, and shown without its password."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from virnucpro_tasks.errors import SettingsError

SCHEMES = ("redis", "rediss", "redis+socket")
EXAMPLE = "as in redis://127.0.0.1:6379/0"

_PASSWORD = re.compile(r"(?<=:)[^:@/]*(?=@)")


def check_broker_url(url: str) -> None:
    """Raise SettingsError, without the password, if `url` is no address of a Redis."""
    parts = _parts(url)
    if parts is None:
        raise SettingsError(f"broker_url {masked_url(url)!r} is not a URL", hint=EXAMPLE)
    if parts.scheme not in SCHEMES:
        raise SettingsError(f"broker_url must be redis://, rediss:// or redis+socket://, not {masked_url(url)!r}")
    if fault := _socket_fault(parts) if parts.scheme == "redis+socket" else _server_fault(parts):
        raise SettingsError(f"broker_url {masked_url(url)!r} {fault}", hint=EXAMPLE)
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in parse_qs(parts.query):
        raise SettingsError(
            f"broker_url {masked_url(url)!r} does not say how to check the server's certificate",
            hint="append ?ssl_cert_reqs=required",
        )


def masked_url(url: str) -> str:
    """`url` with its password replaced by stars."""
    parts = _parts(url)
    if parts is None:
        return _PASSWORD.sub("***", url)
    if not parts.password:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))


def _parts(url: str) -> SplitResult | None:
    # urlsplit drops line breaks, which the libraries that connect do not.
    if not url.isprintable() or " " in url:
        return None
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _server_fault(parts: SplitResult) -> str | None:
    if not parts.hostname:
        return "names no host"
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        return "has a port that is no number from 1 to 65535"
    return _database_fault(parts.path.strip("/"))


def _socket_fault(parts: SplitResult) -> str | None:
    if not (parts.netloc + parts.path).strip("/"):
        return "names no socket"
    return _database_fault(parse_qs(parts.query).get("virtual_host", [""])[-1].strip("/"))


def _database_fault(database: str) -> str | None:
    return None if not database or re.fullmatch("[0-9]+", database) else f"names the database {database!r}, no number"
