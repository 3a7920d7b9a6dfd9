"""The advice of an interrupted command: how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def saying_how_to_go_on(advice: str) -> Iterator[None]:
    """If the block is interrupted, by Ctrl-C or a signal, the message at the end has this advice."""
    try:
        yield
    except KeyboardInterrupt as error:
        error.add_note(advice)
        raise


def interruption(error: BaseException) -> str:
    """The message on an interruption, with the advice on how to go on, the innermost alone; Ctrl-C has no name."""
    what = " by ".join(["interrupted", *error.args]) if isinstance(error, KeyboardInterrupt) else "interrupted"
    advice = getattr(error, "__notes__", [])
    return f"{what} ({advice[0]})" if advice else what
