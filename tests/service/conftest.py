"""A real Redis or Valkey for the tests that need one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from virnucpro_tasks.broker import EmbeddedBroker, find_server
from virnucpro_tasks.errors import BrokerError


@pytest.fixture(scope="session")
def broker() -> Iterator[EmbeddedBroker]:
    """A private server; without a server binary the test is skipped, in CI it fails."""
    try:
        find_server()
    except BrokerError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    with EmbeddedBroker() as started:
        yield started
