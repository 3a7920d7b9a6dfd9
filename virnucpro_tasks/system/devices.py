"""Chooses the devices that get a worker, from `--devices` and CUDA_VISIBLE_DEVICES. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from virnucpro_tasks.errors import BackendError, MissingDeviceError, counted
from virnucpro_tasks.system.gpus import Gpu

MAX_AUTOMATIC_CPU_SLOTS = 4
"""Most CPU workers that `auto` starts: each holds its own copy of the models in memory."""

AUTO, NONE, CPU = "auto", "none", "cpu"
ALL_GPUS = ("cuda", "gpu")
GRAMMAR = "auto, none, cpu, gpu, or a list of cpu, 0, gpu:0, cuda:0, GPU- or MIG- UUIDs"

_INDEX = re.compile(r"(?:(?:cuda|gpu):?)?([0-9]{1,9})")
_CPU = re.compile(r"cpu(?::?[0-9]{1,9})?")
_UUID = re.compile(r"(?:GPU|MIG)-[\w/-]+")


@dataclass(frozen=True, slots=True)
class DeviceSlot:
    """The device of one worker process: its name, and the value of CUDA_VISIBLE_DEVICES ("" for a CPU)."""

    name: str
    cuda_visible_devices: str

    @property
    def is_gpu(self) -> bool:
        return bool(self.cuda_visible_devices)


def device_environment(slot: DeviceSlot) -> dict[str, str]:
    """The variables that pin a process to a device; they must be set before CUDA is used."""
    return {
        "CUDA_VISIBLE_DEVICES": slot.cuda_visible_devices,
        # NVML and nvidia-smi count in bus order; CUDA's own default order differs on mixed hosts.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """The devices to start workers on, and a note for the user if `auto` chose them."""

    slots: tuple[DeviceSlot, ...]
    note: str = ""


def choose_devices(
    asked: str,
    *,
    mask: str | None,
    gpus: tuple[Gpu, ...] | None,
    cores: int,
    cpu_threads: int = 1,
    most_automatic: int | None = None,
) -> DeviceChoice:
    """Parse `asked`: `auto`, `none`, or a comma list of `cpu`, `gpu`, `0`, `gpu:0`, `cuda:0`, `GPU-uuid`, `MIG-uuid`.

    Case and spaces do not matter. `gpu` and `cuda` are all visible GPUs. `mask` is CUDA_VISIBLE_DEVICES (None if
    unset): an index counts within it, a UUID must be in it. `gpus` are those that the driver lists, None if unknown:
    then named devices are not checked. `auto` chooses `most_automatic` devices at most, the first ones. Raises
    MissingDeviceError for a device that is not visible, and BackendError for one that is not understood or named twice
    (`cpu` may repeat).
    """
    visible = visible_devices(mask, gpus)
    words = [_normal(word) for word in asked.split(",")]
    if words == [AUTO]:
        return _automatic(visible, mask, gpus, cores, cpu_threads, most_automatic)
    if words == [NONE]:
        return DeviceChoice(())
    slots: list[DeviceSlot] = []
    taken: dict[str, str] = {}
    for word in words:
        if word in (AUTO, NONE):
            raise BackendError(f"device {word!r} cannot be one of several", hint=f"give {word} alone")
        if not word:
            raise BackendError(f"--devices {asked!r} names an empty device", hint=GRAMMAR)
        if _CPU.fullmatch(word):
            count = sum(not slot.is_gpu for slot in slots)
            slots.append(DeviceSlot(f"cpu{count}", ""))
            continue
        for device in _all_gpus(word, visible) if word in ALL_GPUS else [_find(word, visible, gpus)]:
            identity = _identity(device, gpus)
            if identity in taken:
                raise BackendError(
                    f"device {word!r} is the same GPU as {taken[identity]!r}", hint="name each GPU once; cpu may repeat"
                )
            taken[identity] = word
            slots.append(DeviceSlot(_slot_name(device), device))
    return DeviceChoice(tuple(slots))


def visible_devices(mask: str | None, gpus: tuple[Gpu, ...] | None) -> tuple[str, ...] | None:
    """Return the devices that CUDA would show, in its order, as CUDA_VISIBLE_DEVICES names them; None if unknown.

    As in CUDA, the mask ends at its first entry that does not exist (`-1` by convention).
    """
    if mask is None:
        if gpus is None:
            return None
        return tuple(name for gpu in gpus for name in (gpu.mig_uuids or (str(gpu.index),)))
    entries: list[str] = []
    for entry in (part.strip() for part in mask.split(",")):
        if not _exists(entry, gpus):
            break
        entries.append(entry)
    return tuple(entries)


def visible_uuids(mask: str | None, gpus: tuple[Gpu, ...]) -> tuple[str, ...]:
    """Return the full UUIDs of the devices that CUDA would show: of GPUs, and of MIG instances."""
    return tuple(_identity(device, gpus) for device in visible_devices(mask, gpus) or ())


def _automatic(
    visible: tuple[str, ...] | None,
    mask: str | None,
    gpus: tuple[Gpu, ...] | None,
    cores: int,
    cpu_threads: int,
    most: int | None,
) -> DeviceChoice:
    if visible and gpus:
        slots = tuple(DeviceSlot(_slot_name(device), device) for device in visible[:most])
        names = ", ".join(slot.name for slot in slots)
        return DeviceChoice(slots, f"devices: {names}{_left_out(len(visible) - len(slots))}")
    possible = min(MAX_AUTOMATIC_CPU_SLOTS, max(1, cores // cpu_threads))
    count = min(most or possible, possible)
    if mask is not None and gpus:
        why = f"CUDA_VISIBLE_DEVICES={mask!r} leaves no GPU"
    elif gpus is None:
        why = "GPUs cannot be listed without the NVIDIA driver and the package nvidia-ml-py"
    else:
        why = "no GPU found"
    return DeviceChoice(
        tuple(DeviceSlot(f"cpu{number}", "") for number in range(count)),
        f"{why}: computing on {counted(count, 'CPU worker')} of {counted(cpu_threads, 'thread')}, far slower than a"
        f" GPU{_left_out(possible - count)}",
    )


def _left_out(more: int) -> str:
    return f"; {more} more would have no part of this input" if more else ""


def _normal(word: str) -> str:
    """`word` in lower case and without spaces, but for UUIDs, whose beginning alone is put into upper case."""
    word = word.strip()
    kind, dash, rest = word.partition("-")
    return f"{kind.upper()}-{rest}" if dash and kind.lower() in ("gpu", "mig") else word.lower()


def _all_gpus(word: str, visible: tuple[str, ...] | None) -> list[str]:
    if visible is None:
        raise BackendError(
            f"device {word!r}: the GPUs of this host cannot be listed without the package nvidia-ml-py",
            hint="name them, as 0 or 0,1",
        )
    if not visible:
        raise _invisible(word, visible)
    return list(visible)


def _find(word: str, visible: tuple[str, ...] | None, gpus: tuple[Gpu, ...] | None) -> str:
    if found := _INDEX.fullmatch(word):
        index = int(found[1])
        if visible is None:
            return str(index)
        if index < len(visible):
            return visible[index]
        raise _invisible(word, visible)
    if not _UUID.fullmatch(word):
        raise BackendError(f"device {word!r} is not understood", hint=GRAMMAR)
    if visible is None:
        return word
    # CUDA accepts abbreviated UUIDs, in the mask and here.
    wanted = _identity(word, gpus)
    for device in visible:
        identity = _identity(device, gpus)
        if identity.startswith(wanted) or wanted.startswith(identity):
            return word
    raise _invisible(word, visible)


def _invisible(word: str, visible: tuple[str, ...]) -> MissingDeviceError:
    return MissingDeviceError(f"device {word!r} is not visible here", hint=_describe(visible))


def _identity(device: str, gpus: tuple[Gpu, ...] | None) -> str:
    """Return the full UUID of a device if it is known, otherwise its name."""
    for gpu in gpus or ():
        for uuid in (gpu.uuid, *gpu.mig_uuids):
            if uuid.startswith(device):
                return uuid
        if device == str(gpu.index):
            return gpu.uuid
    return device


def _exists(entry: str, gpus: tuple[Gpu, ...] | None) -> bool:
    if not (entry.isdigit() or _UUID.fullmatch(entry)):
        return False
    if gpus is None:
        return True
    known = {str(gpu.index) for gpu in gpus}
    return entry in known or any(uuid.startswith(entry) for gpu in gpus for uuid in (gpu.uuid, *gpu.mig_uuids))


def _slot_name(device: str) -> str:
    """Return gpu3 for the physical GPU 3, gpu-1a2b3c4d or mig-1a2b3c4d for UUIDs."""
    if device.isdigit():
        return f"gpu{device}"
    kind, _, rest = device.partition("-")
    return f"{kind.lower()}-{rest.replace('/', '-')[-40:][:8]}"


def _describe(visible: tuple[str, ...]) -> str:
    if not visible:
        return "no GPU is visible; use cpu"
    return f"visible: {', '.join(f'{index} = {device}' for index, device in enumerate(visible))}"
