"""Reads published weights: a file, the shards that an index lists, or the weight file of a folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.filekind import FileKind, file_kind
from virnucpro_tasks.models.jsonfile import read_struct
from virnucpro_tasks.models.pickled import Allowed, Tensors, read_torch_file

_FOLDER_NAMES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_INDEX_ENDING = ".index.json"
_CONTACT_ENDING = "-contact-regression.pt"
_AGAIN = "download it again"
_REAL_TYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_WHOLE_TYPES = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)


class _Index(msgspec.Struct):
    """The part that is read of the index of a sharded file: the file that holds each tensor."""

    weight_map: dict[str, str]


class _Configuration(msgspec.Struct):
    """The part that is read of a config.json: the number of heads, as Hugging Face and as a bundle name it."""

    num_attention_heads: int | None = None
    heads: int | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """Tensors by their names in the file, on the CPU; the number of attention heads if the file or the config.json
    beside it tells.
    """

    path: Path
    tensors: Tensors
    heads: int | None


def read_weights(path: Path, *, allowed: Allowed = ()) -> Weights:
    """Read a weight file, a sharded one by its index, or the one weight file of a folder.

    `allowed` are the classes that a pickle may use besides torch's tensors. Raises BundleError saying what else the
    file is, or what in it was refused.
    """
    file = weight_file(path) if path.is_dir() else path
    if file.name.endswith(_INDEX_ENDING):
        tensors, heads = _read_sharded(file, allowed), None
    else:
        tensors, heads = _read_file(file, allowed)
    return Weights(file, tensors, heads or _configured_heads(file.parent))


def weight_file(folder: Path) -> Path:
    """The weight file in `folder`: one with a Hugging Face name, or else the only *.pt (not counting the contact
    regression of fair-esm). Raises BundleError.
    """
    for name in _FOLDER_NAMES:
        if (folder / name).is_file():
            return folder / name
    found = [file for file in sorted(folder.glob("*.pt")) if not file.name.endswith(_CONTACT_ENDING)]
    if len(found) == 1:
        return found[0]
    raise BundleError(
        f"{len(found) or 'no'} weight files here",
        path=folder,
        hint=f"name the file; looked for {_FOLDER_NAMES[0]}, {_FOLDER_NAMES[2]}, their indexes and one *.pt",
    )


def _read_file(file: Path, allowed: Allowed) -> tuple[Tensors, int | None]:
    kind = file_kind(file)
    heads = None
    if kind is FileKind.SAFETENSORS:
        tensors = _read_safetensors(file)
    elif kind is FileKind.OTHER:
        raise BundleError("this is neither a torch file nor safetensors", path=file, hint="check which file this is")
    else:
        tensors, heads = read_torch_file(file, allowed=allowed, zipped=kind is FileKind.TORCH_ZIP)
    _check_stored(tensors.items(), file)
    return tensors, heads


def _read_safetensors(file: Path) -> Tensors:
    try:
        return load_file(file)
    # Number types unknown to this version of torch raise errors of many classes.
    except (SafetensorError, OSError, LookupError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise BundleError(f"damaged or cut off safetensors ({error})", path=file, hint=_AGAIN) from None


def _read_sharded(index: Path, allowed: Allowed) -> Tensors:
    file_kind(index)
    places = read_struct(index, _Index, hint=_AGAIN).weight_map
    tensors: Tensors = {}
    for name in sorted(set(places.values())):
        if name in ("", "..") or Path(name).name != name or name.endswith(_INDEX_ENDING):
            raise BundleError(f"it names {name!r}, which is no weight file of its folder", path=index, hint=_AGAIN)
        tensors |= _read_file(index.parent / name, allowed)[0]
    if absent := sorted(set(places) - set(tensors)):
        raise BundleError(f"the files it names do not hold {absent[0]!r}", path=index, hint="download them again")
    return tensors


def _check_stored(tensors: Iterable[tuple[str, torch.Tensor]], file: Path) -> None:
    """Raise BundleError unless all tensors are ordinary ones and together not much larger than the file."""
    total = 0
    for name, tensor in tensors:
        ordinary = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_nested
        if not ordinary or tensor.is_neg() or tensor.dtype not in (*_REAL_TYPES, *_WHOLE_TYPES):
            raise BundleError(
                f"{name[:80]!r} is no ordinary tensor ({tensor.dtype}, {tensor.layout}, {tensor.device.type})",
                path=file,
                hint="get the file from its publisher",
            )
        total += tensor.nbytes
    # An expanded tensor stores one number for a matrix of any size. Twice the file allows for tied embeddings.
    if total > 2 * file.stat().st_size:
        raise BundleError(
            f"its tensors unfold to {total} bytes, far more than the file", path=file, hint="get it from its publisher"
        )


def _configured_heads(folder: Path) -> int | None:
    """The number of heads in the config.json of `folder`, if it has one and that tells."""
    file = folder / "config.json"
    if not file.is_file():
        return None
    file_kind(file)
    stated = read_struct(file, _Configuration, hint=_AGAIN)
    return stated.heads if stated.num_attention_heads is None else stated.num_attention_heads
