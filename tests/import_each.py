"""Import each of the named modules as the first of its package, and print as JSON what is wrong with that.

Each is imported in a process of its own, forked when the packages of others are there: loading these takes longest.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import tempfile
import traceback

import celery.app.amqp
import celery.app.control
import celery.app.log
import celery.backends.redis
import click
import kombu.transport.redis
import msgspec.json
import numpy
import safetensors


def refuse(*_: object, **__: object) -> None:
    raise SystemExit("network at import")


def check(module: str) -> None:
    """Say on stderr what an import loads, opens or sets up that it should not."""
    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]
    __import__(module)
    for name in ("torch", "transformers"):
        if name in sys.modules:
            print(f"{name} was loaded", file=sys.stderr)
    if logging.getLogger().handlers:
        print("logging was set up", file=sys.stderr)


def complaints(module: str) -> str:
    """What `check` and the module say in a forked process."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if not child:
            os.dup2(said.fileno(), 2)
            try:
                check(module)
            except BaseException:
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return said.read().decode() + (f"status {status}" if status else "")


if __name__ == "__main__":
    assert "virnucpro_tasks" not in sys.modules
    assert click.__name__ and celery.backends.redis.__name__ and kombu.transport.redis.__name__
    assert msgspec.json.__name__ and numpy.__name__ and safetensors.__name__
    print(json.dumps({module: complaints(module) for module in sys.argv[1:]}))
