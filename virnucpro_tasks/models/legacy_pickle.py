"""Reads whole modules that torch saved before its version 1.6: a row of pickles, and the numbers behind them.

torch's own restricted reader refuses these files, since they carry the source text of their classes. Here that text is
skipped, and names in the pickle become shells without code, or are refused. Nothing of the file is run.
"""

from __future__ import annotations

import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO

import torch

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""The first two pickles of such a file."""

_TYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_SETS = ("__builtin__.set", "builtins.set")
_COUNT_BYTES = 8
_NOTING = ("PUT", "BINPUT", "LONG_BINPUT")
"""Operations that note an object under a number; Python keeps a list that is as long as the largest."""


class _Unpickler(pickle.Unpickler):
    """Finds only what a classifier is made of. Each name gives a new object, so that a pickle can change nothing."""

    def __init__(self, file: BinaryIO, *, modules: Collection[str], shell: type, most_bytes: int) -> None:
        super().__init__(file, encoding="utf-8")
        self._modules = modules
        self._shell = shell
        self._left = most_bytes
        self.storages: dict[str, torch.Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full in self._modules:
            return type(self._shell.__name__, (self._shell,), {})
        if full == "collections.OrderedDict":
            return OrderedDict
        if full in _SETS:
            return set
        if module == "torch" and name in _TYPES:
            return _StorageType(_TYPES[name])
        if full == "torch._utils._rebuild_parameter":
            return lambda data, requires_grad, hooks: data
        if full in ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"):
            return _rebuilt
        raise pickle.UnpicklingError(f"GLOBAL {full} was not an allowed global")

    def persistent_load(self, pid: Any) -> Any:
        kind, *data = pid
        if kind == "module":
            return data[0]
        if kind != "storage":
            raise pickle.UnpicklingError(f"{kind!r} is neither a module nor a storage")
        storage_type, key, _, size, view = data
        if view is not None:
            raise pickle.UnpicklingError("a storage that is part of another one is not read")
        dtype = storage_type.dtype
        if key not in self.storages:
            self._left -= size * dtype.itemsize
            if size < 0 or self._left < 0:
                raise pickle.UnpicklingError("it names more numbers than it holds")
            self.storages[key] = torch.empty(size, dtype=dtype)
        return self.storages[key]


class _StorageType:
    """The number type of a storage."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


def _rebuilt(storage: torch.Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    return torch.as_strided(storage, size, stride, offset)


def read_legacy_module(file: Path, *, modules: Collection[str], shell: type) -> Any:
    """The content of a file, in which each class of `modules` (by full name) is a `shell` with its attributes.

    Raises what a damaged or hostile pickle makes Python or torch raise, UnpicklingError for a name that is refused.
    """
    with file.open("rb") as handle:
        most_bytes = file.stat().st_size

        def unpickler() -> _Unpickler:
            _require_memo(handle, most_entries=most_bytes)
            return _Unpickler(handle, modules=modules, shell=shell, most_bytes=most_bytes)

        if unpickler().load() != MAGIC or unpickler().load() != PROTOCOL:
            raise pickle.UnpicklingError("it does not begin as torch files of its kind do")
        if not unpickler().load().get("little_endian", True):
            raise pickle.UnpicklingError("its numbers have another byte order")
        reader = unpickler()
        content = reader.load()
        for key in unpickler().load():
            _fill(reader.storages[key], handle)
    return content


def _require_memo(handle: BinaryIO, *, most_entries: int) -> None:
    """Raise UnpicklingError if the next pickle has Python make room for more notes than the file has bytes."""
    place = handle.tell()
    for operation, argument, _ in pickletools.genops(handle):
        if operation.name in _NOTING and isinstance(argument, int) and argument > most_entries:
            raise pickle.UnpicklingError("it makes more notes than it can hold")
    handle.seek(place)


def _fill(storage: torch.Tensor, handle: BinaryIO) -> None:
    """Read the numbers of a storage: their count, and then these."""
    count = int.from_bytes(handle.read(_COUNT_BYTES), "little")
    data = handle.read(storage.nbytes)
    if count != storage.numel() or len(data) != storage.nbytes:
        raise pickle.UnpicklingError("it is cut off")
    if data:
        storage.copy_(torch.frombuffer(bytearray(data), dtype=storage.dtype))
