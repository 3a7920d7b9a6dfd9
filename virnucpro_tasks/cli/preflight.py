"""Checks of what a command was asked for, before a bundle is hashed, a server started or anything written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from errno import EACCES, EROFS
from pathlib import Path

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.embed.backends import require_backend
from virnucpro_tasks.errors import BackendError, OutputError, counted
from virnucpro_tasks.jobs.check_inputs import refuse_inputs
from virnucpro_tasks.jobs.find_inputs import repeated_inputs, require_inputs
from virnucpro_tasks.jobs.submit import named_inputs
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.devices import DeviceSlot, choose_devices
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import persistently
from virnucpro_tasks.system.gpus import list_gpus
from virnucpro_tasks.system.host import available_cores

CPU_PRECISION = "fp32"
"""On a CPU without matrix units for them, half precisions take several times as long (benchmarks/cpu_precision.py)."""


def check_inputs(
    inputs: Sequence[Path | ReadInput],
    *,
    strict: bool,
    allow_empty: bool,
    compat: Compat = Compat.NONE,
    quiet: bool = False,
) -> None:
    """Raise the error of inputs that cannot be used, as far as their beginning shows; warn of a file given twice."""
    sources = named_inputs(inputs, compat=compat)
    paths = [source.path for source in sources]
    require_inputs(paths)
    for first, second in repeated_inputs(paths):
        what = f"{second} is given twice" if first == second else f"{second} is the same file as {first}"
        say(f"warning: {what}: its records are computed and counted twice", quiet=quiet)
    refuse_inputs(sources, strict=strict, allow_empty=allow_empty)


def check_engine(settings: Settings, *, devices: str, precision: str) -> tuple[DeviceSlot, ...]:
    """The devices that `devices` names, at least one. Raises BackendError if one is not there, or cannot do what is
    asked for.
    """
    gpus = list_gpus()
    slots = choose_devices(
        devices,
        mask=os.environ.get("CUDA_VISIBLE_DEVICES"),
        gpus=gpus,
        cores=available_cores(),
        cpu_threads=settings.cpu_threads,
    ).slots
    if not slots:
        raise BackendError(f"--devices {devices} starts no worker", hint="auto, cpu or gpu")
    require_backend(slots, gpus or (), precision=precision, attention=settings.attention)
    workers = sum(not slot.is_gpu for slot in slots)
    if settings.threads is not None and workers * settings.cpu_threads > settings.threads:
        raise BackendError(
            f"{counted(workers, 'CPU worker')} of {counted(settings.cpu_threads, 'thread')} need more than --threads"
            f" {settings.threads}",
            hint="name fewer devices, or use --devices auto",
        )
    return slots


def default_precision(of_bundle: str, slots: Sequence[DeviceSlot]) -> str:
    """The precision of work for which none is named: that of the bundle, or on CPUs alone CPU_PRECISION."""
    return of_bundle if any(slot.is_gpu for slot in slots) else CPU_PRECISION


def require_kept(inputs: Iterable[Path], places: Iterable[Path]) -> None:
    """Raise OutputError for an input that lies where a file is to be written: with --force it would be gone."""
    # By os.path: pathlib raises for links in a circle.
    written = {os.path.realpath(place) for place in places}
    for path in inputs:
        if os.path.realpath(path) in written:
            raise OutputError(f"{path} is where a result of this name goes", hint="choose another output")


def require_new_file(output: Path, *, force: bool, may_replace: Callable[[Path], bool] = lambda file: False) -> None:
    """Raise OutputError for a file that cannot be written, or that is there and stays.

    With `force` a file is replaced, or the symbolic link of this name, and without it what `may_replace` says; never a
    folder, a device or a pipe.
    """
    if os.path.lexists(output):
        if persistently(output.is_dir):
            raise OutputError(f"{output} exists already and is a folder", hint="choose another name")
        if not _is_file_or_link(output):
            raise OutputError(f"{output} is a device or a pipe, and a file is to be made", hint="choose another name")
        if not force and not (persistently(output.is_file) and may_replace(output)):
            raise OutputError(f"{output} exists already", hint="choose another name or use --force")
    check_place(output.absolute().parent)
    if not persistently(output.absolute().parent.is_dir):
        raise OutputError(f"{output} cannot be written: there is no folder {output.parent}", hint="make it first")


def _is_file_or_link(path: Path) -> bool:
    """Whether what is there is a file, or a link to one or to nothing. Links such as /dev/stdout are descriptors."""
    folder = os.path.realpath(path.parent)
    is_descriptor = folder == "/dev" or folder.startswith("/proc/")
    return not is_descriptor and (persistently(path.is_file) or not persistently(path.exists))


def check_place(output: Path) -> None:
    """Raise OutputError if the folder `output`, or the nearest that exists above it, cannot be written."""
    place = output.absolute()
    try:
        while not os.path.lexists(place):
            place = place.parent
        if not persistently(place.is_dir):
            what = "is not a folder" if persistently(place.exists) else "is a symbolic link to nothing"
            raise OutputError(f"{output} cannot be made: {place} {what}", hint="choose another folder")
        if not os.access(place, os.W_OK | os.X_OK):
            read_only = os.statvfs(place).f_flag & os.ST_RDONLY
            raise OSError(EROFS if read_only else EACCES, "", str(place))
    except OSError as error:
        cause = cause_of(error, place)
        raise OutputError(f"{output} cannot be written: {place}: {cause.words}", hint=cause.advice) from None
