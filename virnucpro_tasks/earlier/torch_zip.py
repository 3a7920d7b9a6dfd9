"""Reads what a zip file of `torch.save` holds, without torch and without running anything that is in it.

A pickle names functions to call. Those that tensors and arrays need are replaced by our own, every other name is
refused, and what is called is made anew for each file, so that a file cannot change it for the next.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.earlier.reasons import UnusableError
from virnucpro_tasks.errors import BundleError, printable
from virnucpro_tasks.models.archive import check_archive
from virnucpro_tasks.system.memory_limit import memory_limit

_STORAGE_TYPES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": "bf16",
    "LongStorage": "i8",
    "IntStorage": "i4",
}
_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMBER_TYPES = frozenset({"f2", "f4", "f8", "i4", "i8"})
LEAST_MEMORY_BYTES, MEMORY_OVER_SIZE = 2**29, 8
"""A few bytes of a pickle can ask for gigabytes. Numbers in lists take four times their size in the file."""

_PICKLE_NAME = "data.pkl"
_REASON_LENGTH = 120


def read_torch_zip(path: Path) -> Any:
    """Read the object in `path`: dictionaries, lists, texts, numbers, and NumPy arrays for tensors and arrays.

    Raises UnusableError for a file that is no complete zip file of torch, or asks for anything else.
    """
    if not zipfile.is_zipfile(path):
        raise UnusableError("it is no complete zip file of torch: cut off, empty, or of another kind")
    try:
        check_archive(path)
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.rpartition("/")[2] == _PICKLE_NAME]
            if len(names) != 1:
                raise UnusableError("it is a zip file, but none of torch")
            root = names[0].removesuffix(_PICKLE_NAME)
            if root + "byteorder" in archive.namelist() and archive.read(root + "byteorder") != b"little":
                raise UnusableError("its numbers are in the byte order of another machine")
            with memory_limit(LEAST_MEMORY_BYTES + MEMORY_OVER_SIZE * path.stat().st_size):
                return _Reader(archive, root, archive.read(names[0])).load()
    except BundleError as error:
        raise UnusableError(error.what) from None
    except UnusableError:
        raise
    except MemoryError:
        raise UnusableError("it asks for more memory than a file of its size needs") from None
    # A damaged or hostile pickle can raise anything.
    except Exception as error:
        reason = printable(str(error).partition("\n")[0])[:_REASON_LENGTH]
        raise UnusableError(f"it cannot be read: {reason or type(error).__name__}") from None


class _Reader(pickle.Unpickler):
    """Builds plain objects and arrays; tensors are views into their storages in the archive."""

    def __init__(self, archive: zipfile.ZipFile, root: str, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self._archive = archive
        self._root = root
        self._storages: dict[str, npt.NDArray[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return partial(_tensor)
        if module == "torch" and name in _STORAGE_TYPES:
            return name
        if module == "collections" and name == "OrderedDict":
            return partial(dict)
        if module in _ARRAY_MODULES and name == "_reconstruct":
            return partial(_PickledArray)
        if module == "numpy" and name == "ndarray":
            return name
        if module == "numpy" and name == "dtype":
            return partial(_PickledType)
        if module == "_codecs" and name == "encode":
            return partial(_encoded)
        asked = printable(f"{module}.{name}")[:_REASON_LENGTH]
        raise UnusableError(f"refused: it asks for {asked!r}, which vectors do not need; nothing of it was run")

    def persistent_load(self, pid: Any) -> npt.NDArray[Any]:
        kind, storage, key, _, count = pid
        if kind != "storage" or storage not in _STORAGE_TYPES or not isinstance(key, str):
            raise UnusableError("it holds a storage of an unknown kind")
        if key not in self._storages:
            content = self._archive.read(f"{self._root}data/{key}")
            self._storages[key] = _numbers(content, _STORAGE_TYPES[storage])
        found = self._storages[key]
        if len(found) < count:
            raise UnusableError("a storage is shorter than it says")
        return found

    def load(self) -> Any:
        return _plain(super().load())


def _numbers(content: bytes, kind: str) -> npt.NDArray[Any]:
    if kind == "bf16":
        halves = np.frombuffer(content, "<u2").astype(np.uint32)
        return (halves << np.uint32(16)).view(np.float32)
    return np.frombuffer(content, f"<{kind}")


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> npt.NDArray[Any]:
    """A tensor as a copy of its part of the storage, of which it cannot be more."""
    if not isinstance(storage, np.ndarray) or storage.ndim != 1 or len(size) != len(stride):
        raise UnusableError("a tensor has no storage")
    if min((offset, *size, *stride)) < 0:
        raise UnusableError("a tensor has a negative size")
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if math.prod(size) > len(storage) or (math.prod(size) and last >= len(storage)):
        raise UnusableError("a tensor is larger than its storage")
    strides = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], tuple(size), strides, writeable=False).copy()


class _PickledType:
    """The number type of a pickled array."""

    def __init__(self, text: Any = "", *_: Any) -> None:
        self.text = text
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


class _PickledArray:
    """An array that is filled by the state that follows it in the pickle."""

    def __init__(self, *_: Any) -> None:
        self.array: npt.NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, in_columns, content = state
        if not isinstance(kind, _PickledType) or kind.text not in _NUMBER_TYPES or kind.order not in "<=|":
            raise UnusableError("it holds an array that is none of numbers")
        array = np.frombuffer(content, f"<{kind.text}")
        self.array = array.reshape(shape, order="F" if in_columns else "C")


def _encoded(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise UnusableError("it holds bytes in an unknown encoding")
    return text.encode("latin1")


def _plain(content: Any) -> Any:
    """`content` with arrays for the shells of pickled arrays, as far as files of vectors nest them."""
    if isinstance(content, _PickledArray):
        return content.array
    if isinstance(content, dict):
        return {key: value.array if isinstance(value, _PickledArray) else value for key, value in content.items()}
    return content
