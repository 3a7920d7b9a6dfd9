"""Reading published weight files without running anything in them.

Pickles are read by torch's `weights_only` unpickler, which builds only what the caller names.
"""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.filekind import FileKind, file_kind

Tensors = dict[str, torch.Tensor]
Allowed = Sequence[Callable | tuple[Callable, str]]

_FOLDER_NAMES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_WRAPPERS = ("model", "state_dict", "model_state_dict")
_HEAD_COUNT_NAMES = ("encoder_attention_heads", "attention_heads")
_REFUSED_GLOBAL = re.compile(r"(?:GLOBAL|class|builtin) (\S+) (?:was|is) not")


class ModuleShell:
    """Stands for every module class in a pickled classifier: holds its attributes, runs nothing."""


CLASSIFIER_CLASSES: Allowed = (
    (ModuleShell, "__main__.MLPClassifier"),
    (ModuleShell, "torch.nn.modules.linear.Linear"),
    (ModuleShell, "torch.nn.modules.batchnorm.BatchNorm1d"),
    (ModuleShell, "torch.nn.modules.dropout.Dropout"),
    (ModuleShell, "torch.nn.modules.activation.ReLU"),
    set,
)
"""What a classifier saved as a whole module may name: the classes of its layers, each read as a `ModuleShell`."""

FAIR_ESM_CLASSES: Allowed = (Namespace,)
"""What a fair-esm file may name: the training options."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Tensors by the names in the file (on the CPU), and the number of attention heads if the file or the
    config.json beside it tells."""

    path: Path
    tensors: Tensors
    heads: int | None


def read_weights(path: Path, *, allowed: Allowed = ()) -> Weights:
    """Read a weight file, a sharded one by its index, or the one weight file of a folder.

    `allowed` are the classes a pickle may name beside torch's own tensors. Raises BundleError saying what the file
    is instead, or what in it was refused.
    """
    file = weight_file(path) if path.is_dir() else path
    if file.name.endswith(".index.json"):
        return Weights(file, _read_sharded(file, allowed), _configured_heads(file.parent))
    kind = file_kind(file)
    if kind is FileKind.SAFETENSORS:
        return Weights(file, _read_safetensors(file), _configured_heads(file.parent))
    if kind is FileKind.OTHER:
        raise BundleError("this is neither a torch file nor safetensors", path=file)
    tensors, heads = _read_torch(file, allowed, mapped=kind is FileKind.TORCH_ZIP)
    return Weights(file, tensors, heads or _configured_heads(file.parent))


def weight_file(folder: Path) -> Path:
    """The weight file in `folder`: by its Hugging Face name, or else the only *.pt. Raises BundleError."""
    for name in _FOLDER_NAMES:
        if (folder / name).is_file():
            return folder / name
    found = sorted(folder.glob("*.pt"))
    if len(found) == 1:
        return found[0]
    raise BundleError(
        f"{len(found) or 'no'} weight files here",
        path=folder,
        hint=f"name the file; looked for {_FOLDER_NAMES[0]}, {_FOLDER_NAMES[2]}, their indexes and one *.pt",
    )


def _read_safetensors(file: Path) -> Tensors:
    try:
        return load_file(file)
    except SafetensorError as error:
        raise BundleError(f"damaged or cut off safetensors ({error})", path=file, hint="download it again") from None


def _read_sharded(index: Path, allowed: Allowed) -> Tensors:
    file_kind(index)
    try:
        places: dict[str, str] = dict(json.loads(index.read_bytes())["weight_map"])
    except (ValueError, KeyError, TypeError):
        raise BundleError("this index has no weight_map", path=index, hint="download it again") from None
    tensors: Tensors = {}
    for name in sorted(set(places.values())):
        if Path(name).name != name or name.endswith(".index.json"):
            raise BundleError(f"it names {name!r}, which is not a weight file of its folder", path=index)
        tensors |= read_weights(index.parent / name, allowed=allowed).tensors
    if absent := sorted(set(places) - set(tensors)):
        raise BundleError(f"the files it names do not hold {absent[0]}", path=index, hint="download them again")
    return tensors


def _read_torch(file: Path, allowed: Allowed, *, mapped: bool) -> tuple[Tensors, int | None]:
    try:
        with torch.serialization.safe_globals(list(allowed)):
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
        tensors = _tensors_of(content)
    # A damaged pickle can make the unpickler raise anything.
    except Exception as error:
        if refused := _REFUSED_GLOBAL.search(str(error)):
            raise BundleError(
                f"refused: it asks for {refused[1]}, which weights do not need",
                path=file,
                hint="nothing of it was run; get the file from its publisher, or as safetensors",
            ) from None
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BundleError(
            f"it cannot be read as a torch file ({reason})", path=file, hint="download it again"
        ) from None
    if not tensors:
        raise BundleError("it holds no tensors by name", path=file)
    return tensors, _pickled_heads(content)


def _tensors_of(content: Any) -> Tensors:
    if isinstance(content, ModuleShell):
        return _module_tensors(content, "")
    if not isinstance(content, Mapping):
        return {}
    for wrapper in _WRAPPERS:
        if isinstance(content.get(wrapper), Mapping | ModuleShell):
            return _tensors_of(content[wrapper])
    return {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}


def _module_tensors(module: ModuleShell, prefix: str) -> Tensors:
    inside = vars(module)
    own = dict(inside.get("_parameters", {})) | dict(inside.get("_buffers", {}))
    tensors = {prefix + name: value.detach() for name, value in own.items() if isinstance(value, torch.Tensor)}
    for name, child in inside.get("_modules", {}).items():
        if isinstance(child, ModuleShell):
            tensors |= _module_tensors(child, f"{prefix}{name}.")
    return tensors


def _pickled_heads(content: Any) -> int | None:
    """The number of heads in the options of a fair-esm file."""
    if not isinstance(content, Mapping):
        return None
    configuration = content.get("cfg")
    options = configuration.get("model") if isinstance(configuration, Mapping) else content.get("args")
    found = [getattr(options, name, None) for name in _HEAD_COUNT_NAMES]
    return next((heads for heads in found if isinstance(heads, int)), None)


def _configured_heads(folder: Path) -> int | None:
    """The number of heads in the Hugging Face config.json of a folder."""
    file = folder / "config.json"
    if not file.is_file():
        return None
    file_kind(file)
    try:
        heads = json.loads(file.read_bytes()).get("num_attention_heads")
    except (ValueError, AttributeError):
        raise BundleError("this is not a model configuration", path=file, hint="download it again") from None
    return heads if isinstance(heads, int) else None
