"""After a failed load the parent is asked to stop, with the exit code of the error."""

from __future__ import annotations

import os
import signal

import pytest
from virnucpro_workers import loading
from virnucpro_workers.loading import LoadingState
from virnucpro_workers.say import Say

from virnucpro_tasks.errors import BackendError, BundleError


def load_in_a_child(state: LoadingState, load) -> int:
    """Fork as the pool does; returns the child's exit code."""
    pid = os.fork()
    if pid == 0:
        state.run(load, say=Say(process="embed-gpu0"))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture
def asked_to_stop(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading, "PARENT_SECONDS", 0.0)
    received: list[int] = []
    previous = signal.signal(signal.SIGQUIT, lambda number, frame: received.append(number))
    yield received
    signal.signal(signal.SIGQUIT, previous)


def test_ready(asked_to_stop: list[int]) -> None:
    state = LoadingState()
    assert not state.is_ready
    assert load_in_a_child(state, lambda: None) == 0
    assert state.is_ready
    assert state.exit_code is None
    assert asked_to_stop == []


@pytest.mark.parametrize(
    ("error", "code"),
    [(BackendError("no CUDA here"), 2), (BundleError("damaged"), 3), (RuntimeError("device lost"), 1)],
)
def test_failed(asked_to_stop: list[int], error: Exception, code: int, capfd: pytest.CaptureFixture[str]) -> None:
    def load() -> None:
        raise error

    state = LoadingState()
    assert load_in_a_child(state, load) == code
    assert state.exit_code == code
    assert asked_to_stop == [signal.SIGQUIT]
    said = capfd.readouterr().err
    assert str(error) in said
    assert ("Traceback" in said) is isinstance(error, RuntimeError)
    # the pool's next child does not try again
    assert load_in_a_child(state, lambda: os._exit(99)) == code
