"""Probable causes of the death of a process, and what to do about them."""

from __future__ import annotations

import re
import resource
import signal
from dataclasses import dataclass

from virnucpro_tasks.errors import install_hint

MORE_MEMORY = "give it more memory, or fewer devices (--devices), or use a smaller model"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a process probably died, and what to do; both are empty if nothing is known."""

    why: str = ""
    remedy: str = ""


_BY_SIGNAL = {
    signal.SIGKILL: Cause("probably for lack of memory, or by a scheduler", MORE_MEMORY),
    signal.SIGILL: Cause(
        "the processor lacks an instruction that the program, mostly PyTorch, was built for",
        "use a host with AVX2, or builds for this processor; 'virnucpro doctor' names its instruction sets",
    ),
    signal.SIGBUS: Cause(
        "a file in memory was cut off, or /dev/shm or a disk is full",
        "make room in /dev/shm and on the disk of the bundle, and check the bundle with 'virnucpro models verify'",
    ),
    signal.SIGSEGV: Cause(
        "a crash inside a library", "install PyTorch again, for this processor and driver; check the memory of the host"
    ),
    signal.SIGFPE: Cause("a crash inside a library", "install PyTorch again, for this processor and driver"),
    signal.SIGABRT: Cause("a library gave up", "the log says why; often memory or threads were refused"),
    signal.SIGSYS: Cause("a sandbox forbids a system call", "allow it in the seccomp profile of the container"),
    signal.SIGXCPU: Cause("the limit of CPU time was reached", "ulimit -t unlimited"),
    signal.SIGXFSZ: Cause("the limit of file sizes was reached", "ulimit -f unlimited"),
}

_BY_STATUS = {
    126: Cause("its program cannot be run", "is the Python of this installation intact, and executable?"),
    127: Cause("its program or a library of it is gone", "is the Python of this installation still there?"),
}

_MEMORY = re.compile(
    r"MemoryError|Cannot allocate memory|not enough memory|failed to map segment|out of memory|std::bad_alloc"
    r"|cannot allocate|Errno 12\b",
    re.IGNORECASE,
)
_PROCESSES = re.compile(r"can't start new thread|Resource temporarily unavailable|pthread_create|Errno 11\b")
_FILES = re.compile(r"Too many open files|Errno 24\b")
_SPACE = re.compile(r"No space left on device|Errno 28\b|Disk quota exceeded")
_INSTALLATION = re.compile(r"ModuleNotFoundError|No module named|cannot open shared object file|undefined symbol")


def cause_of_status(status: int, *, oom_killed: bool = False) -> Cause:
    """Return the probable cause of a return code, negative for a signal; `oom_killed`: the kernel has killed some."""
    if status == -signal.SIGKILL and oom_killed:
        return Cause("the kernel ended it because memory ran out", MORE_MEMORY)
    if status < 0:
        return _BY_SIGNAL.get(signal.Signals(-status) if -status in set(signal.Signals) else signal.SIGTERM, Cause())
    return _BY_STATUS.get(status, Cause())


def cause_of_words(words: str) -> Cause:
    """Return the probable cause of an error from its words."""
    if _MEMORY.search(words):
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            return Cause(f"its address space is limited to {limit / 1e9:.1f} GB (ulimit -v)", "ulimit -v unlimited")
        return Cause("memory was refused", MORE_MEMORY)
    if _PROCESSES.search(words):
        return Cause(
            "no more processes or threads are allowed (ulimit -u, or the limit of the container)",
            "raise it, or start fewer workers (--devices)",
        )
    if _FILES.search(words):
        return Cause("too few open files are allowed (ulimit -n)", "ulimit -n 1024")
    if _SPACE.search(words):
        return Cause("a disk, a quota or /dev/shm is full", "make room, and repeat the command")
    if _INSTALLATION.search(words):
        return Cause("a package is missing or damaged", f"install it again: {install_hint('worker')}")
    return Cause()
