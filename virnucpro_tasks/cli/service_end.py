"""The end of a command that runs until it is stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from virnucpro_tasks.cli.messages import say


@contextmanager
def ending_when_stopped(program: str) -> Iterator[None]:
    """Let a signal or Ctrl-C end the block, which says so: for a service that is no interruption but its end."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        say(f"{program} is stopped by {' '.join(map(str, interrupt.args)) or 'Ctrl-C'}")
