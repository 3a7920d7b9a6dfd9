"""Reads tensors from torch files (pickles) without running code in them.

torch's `weights_only` unpickler builds only tensors and the classes that the caller allows.
"""

from __future__ import annotations

import re
import tarfile
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.archive import check_archive
from virnucpro_tasks.models.legacy_pickle import read_legacy_module

Tensors = dict[str, torch.Tensor]
Allowed = Sequence[Callable | tuple[Callable, str]]

_WRAPPERS = ("model", "state_dict", "model_state_dict")
_HEAD_COUNT_NAMES = ("encoder_attention_heads", "attention_heads")
_REFUSED_GLOBAL = re.compile(r"GLOBAL (\S+) (?:was not|whose module)")
_UNPICKLER_REASON = re.compile(r"WeightsUnpickler error:\s*(.+)")
_PERSISTENT = "Only persistent_load of storage is allowed"
"""The message of torch about a file that carries the source text of its classes."""

_MOST_MODULES = 1_000
_REASON_LENGTH = 200


class ModuleShell:
    """Replaces every module class in a pickled classifier: holds its attributes and has no code."""


CLASSIFIER_CLASSES: Allowed = (
    (ModuleShell, "__main__.MLPClassifier"),
    (ModuleShell, "torch.nn.modules.linear.Linear"),
    (ModuleShell, "torch.nn.modules.batchnorm.BatchNorm1d"),
    (ModuleShell, "torch.nn.modules.dropout.Dropout"),
    (ModuleShell, "torch.nn.modules.activation.ReLU"),
    (ModuleShell, "torch.nn.parallel.data_parallel.DataParallel"),
    set,
)
"""Classes allowed in a classifier that was saved as a whole module; its layers are read as `ModuleShell`."""

FAIR_ESM_CLASSES: Allowed = (Namespace,)
"""Classes allowed in a fair-esm file: that of its training options."""


def read_torch_file(file: Path, *, allowed: Allowed, zipped: bool) -> tuple[Tensors, int | None]:
    """Read tensors by name, on the CPU, and the number of attention heads if the training options in the file tell.

    Raises BundleError naming the class that was refused, or why the file cannot be read.
    """
    if zipped:
        check_archive(file)
    elif tarfile.is_tarfile(file):
        raise BundleError(
            "a torch file of the oldest kind, a tar archive, cannot be read without running what is in it",
            path=file,
            hint="get it as safetensors, or saved by a newer torch",
        )
    try:
        content = _content(file, allowed, zipped=zipped)
        tensors, heads = _tensors_of(content), _heads_of(content)
    # A damaged or hostile pickle can raise anything, while it is read and when its objects are accessed.
    except Exception as error:
        raise _refusal(error, file) from None
    if not tensors:
        raise BundleError(
            "it holds no tensors by name", path=file, hint="expected is a state dict, or the whole classifier"
        )
    return tensors, heads


def _content(file: Path, allowed: Allowed, *, zipped: bool) -> Any:
    """Read a torch file by torch or, if it is a whole module of before torch 1.6, by `legacy_pickle`."""
    try:
        with torch.serialization.safe_globals(list(allowed)):
            return torch.load(file, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:
        if zipped or _PERSISTENT not in str(error):
            raise
        shells = [entry[1] for entry in allowed if isinstance(entry, tuple) and entry[0] is ModuleShell]
        return read_legacy_module(file, modules=shells, shell=ModuleShell)


def _refusal(error: Exception, file: Path) -> BundleError:
    message = str(error)
    if refused := _REFUSED_GLOBAL.search(message):
        return BundleError(
            f"refused: it asks for {refused[1][:_REASON_LENGTH]!r}, which weights do not need",
            path=file,
            hint="nothing of it was run; get the file from its publisher, or as safetensors",
        )
    told = _UNPICKLER_REASON.search(message)
    reason = told[1] if told else (message.splitlines() or [""])[0] or type(error).__name__
    return BundleError(
        f"it cannot be read as a torch file: {reason[:_REASON_LENGTH]}",
        path=file,
        hint="nothing of it was run; download it again, or get it as a state dict",
    )


def _tensors_of(content: Any) -> Tensors:
    if isinstance(content, ModuleShell):
        return _module_tensors(content)
    if not isinstance(content, Mapping):
        return {}
    for wrapper in _WRAPPERS:
        if isinstance(content.get(wrapper), Mapping | ModuleShell):
            return _tensors_of(content[wrapper])
    return _plain(content.items())


def _module_tensors(whole: ModuleShell) -> Tensors:
    tensors: Tensors = {}
    waiting: list[tuple[str, ModuleShell]] = [("", whole)]
    # Modules that contain each other would be followed without end.
    for _ in range(_MOST_MODULES):
        if not waiting:
            return tensors
        prefix, module = waiting.pop()
        inside = vars(module)
        own = dict(inside.get("_parameters", {})) | dict(inside.get("_buffers", {}))
        tensors |= _plain((prefix + name, value) for name, value in own.items())
        children = dict(inside.get("_modules", {})).items()
        waiting += [(f"{prefix}{name}.", child) for name, child in children if isinstance(child, ModuleShell)]
    raise ValueError(f"it holds more than {_MOST_MODULES} modules")


def _plain(named: Any) -> Tensors:
    """The tensors among `named`, without attributes that the pickle may have added to them."""
    found = {name: torch.Tensor.detach(value) for name, value in named if isinstance(value, torch.Tensor)}
    if strange := [name for name in found if not isinstance(name, str)]:
        raise ValueError(f"a tensor is named {strange[0]!r}")
    return found


def _heads_of(content: Any) -> int | None:
    """The number of heads in the options of a fair-esm file."""
    if not isinstance(content, Mapping):
        return None
    configuration = content.get("cfg")
    options = configuration.get("model") if isinstance(configuration, Mapping) else content.get("args")
    found = [getattr(options, name, None) for name in _HEAD_COUNT_NAMES]
    return next((heads for heads in found if type(heads) is int), None)
