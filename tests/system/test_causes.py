"""What the death of a process is put down to."""

from __future__ import annotations

import resource
import signal

import pytest

from virnucpro_tasks.system.causes import Cause, cause_of_status, cause_of_words


@pytest.mark.parametrize(
    ("number", "why", "remedy"),
    [
        (signal.SIGKILL, "probably for lack of memory", "more memory"),
        (signal.SIGILL, "lacks an instruction", "AVX2"),
        (signal.SIGBUS, "/dev/shm or a disk is full", "make room"),
        (signal.SIGSEGV, "crash inside a library", "install PyTorch again"),
        (signal.SIGXCPU, "limit of CPU time", "ulimit -t"),
        (signal.SIGSYS, "sandbox", "seccomp"),
    ],
)
def test_a_signal_has_a_cause_and_a_remedy(number: signal.Signals, why: str, remedy: str) -> None:
    cause = cause_of_status(-number)
    assert why in cause.why
    assert remedy in cause.remedy


def test_a_kill_by_the_kernel_is_told_as_such() -> None:
    assert cause_of_status(-signal.SIGKILL, oom_killed=True).why == "the kernel ended it because memory ran out"


@pytest.mark.parametrize(("status", "why"), [(127, "is gone"), (126, "cannot be run")])
def test_a_program_that_does_not_start(status: int, why: str) -> None:
    assert why in cause_of_status(status).why


@pytest.mark.parametrize("status", [0, 1, 7, -signal.SIGTERM, -signal.SIGRTMIN, -99])
def test_nothing_is_made_up_for_the_others(status: int) -> None:
    assert cause_of_status(status) == Cause()


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("MemoryError: ", "more memory"),
        ("OSError: [Errno 12] Cannot allocate memory", "more memory"),
        ("RuntimeError: [enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: not enough memory", "more memory"),
        ("RuntimeError: can't start new thread", "fewer workers"),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", "fewer workers"),
        ("OSError: [Errno 24] Too many open files", "ulimit -n"),
        ("OSError: [Errno 28] No space left on device", "make room"),
        ("ModuleNotFoundError: No module named 'torch'", "install"),
    ],
)
def test_words_of_an_error_have_a_remedy(words: str, remedy: str) -> None:
    assert remedy in cause_of_words(words).remedy


def test_a_limit_of_the_address_space_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2_048_000_000, 2_048_000_000))
    cause = cause_of_words("ImportError: libtorch_cpu.so: failed to map segment from shared object")
    assert cause == Cause("its address space is limited to 2.0 GB (ulimit -v)", "ulimit -v unlimited")


def test_other_words_have_none() -> None:
    assert cause_of_words("ValueError: 7") == Cause()
