"""Certificates of authorities: each client of HTTP reads them for itself, which takes longer than most downloads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ssl import SSLContext
from unittest import mock

import httpcore2
import pytest


@pytest.fixture(scope="module", autouse=True)
def authorities_read_once() -> Iterator[None]:
    """Clients with the same files of certificates share what is read of them."""
    read = httpcore2.default_ssl_context
    known: dict[tuple[str | None, ...], SSLContext] = {}

    def context(**options: bool) -> SSLContext:
        key = *map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")), str(options)
        if key not in known:
            known[key] = read(**options)
        return known[key]

    with mock.patch.object(httpcore2, "default_ssl_context", context):
        yield
