"""A bundle from published files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from virnucpro_tasks.atomic import write_json
from virnucpro_tasks.errors import BundleError, OutputError
from virnucpro_tasks.models.bundle import LONGEST_CHUNK, PRECISIONS, Bundle, describe_bundle, is_text, read_bundle
from virnucpro_tasks.models.canonical import canonical_dnabert_s, canonical_esm2, canonical_head
from virnucpro_tasks.models.folder import new_folder
from virnucpro_tasks.models.pickled import CLASSIFIER_CLASSES, FAIR_ESM_CLASSES, Tensors
from virnucpro_tasks.models.sizes import CLASSES, DnabertSizes, Esm2Sizes, HeadSizes, fitting_esm2, misfit
from virnucpro_tasks.models.tokenizer import read_tokenizer
from virnucpro_tasks.models.weights import read_weights

STORED_TYPES = {"fp32": torch.float32, "fp16": torch.float16}
LICENCE_PARTS = ("dnabert-s", "esm2", "head")
NOT_STATED = "not stated"
TOKENIZER_FILE = "tokenizer.json"
_TRAINED_LENGTH = re.compile(r"(\d+)_model\b")


def convert_bundle(
    *,
    name: str,
    dnabert: Path,
    esm2: Path,
    head: Path,
    output: Path,
    chunk_length: int,
    precision: str,
    dtype: str = "fp32",
    tokenizer: Path | None = None,
    licences: Mapping[str, str] | None = None,
) -> Bundle:
    """Write a new bundle folder `output` from published weight files, complete or not at all.

    `dnabert` and `esm2` are a weight file, the index of a sharded one, or the folder of one; `tokenizer` is by default
    the tokenizer.json beside the DNABERT-S weights. `chunk_length` in bases is what the head was trained on.
    `precision` (fp32, fp16, bf16) is what jobs compute in unless they name another; `dtype` (fp32, fp16) is how
    the language models are stored; rotary frequencies and the head are always stored in fp32.

    Raises BundleError naming the file at fault, or OutputError if `output` exists.
    """
    _check_options(name, precision, dtype, chunk_length, head, licences or {})
    dnabert_tensors, dnabert_sizes = canonical_dnabert_s(dnabert_weights := read_weights(dnabert))
    # The small files first: a wrong head or tokenizer is told before gigabytes are read.
    head_tensors, head_sizes = canonical_head(read_weights(head, allowed=CLASSIFIER_CLASSES))
    words = read_tokenizer(tokenizer or dnabert_weights.path.parent / TOKENIZER_FILE, rows=dnabert_sizes.vocabulary)
    esm2_tensors, esm2_sizes = canonical_esm2(read_weights(esm2, allowed=FAIR_ESM_CLASSES))
    _check_widths(head_sizes, dnabert_sizes, esm2_sizes, head)
    with new_folder(output) as folder:
        _write_part(folder / "dnabert-s", dnabert_tensors, asdict(dnabert_sizes), dtype, dnabert)
        words.save(str(folder / "dnabert-s" / TOKENIZER_FILE))
        _write_part(folder / "esm2", esm2_tensors, asdict(esm2_sizes), dtype, esm2)
        configuration = {
            "nucleotide_width": dnabert_sizes.width,
            "protein_width": esm2_sizes.width,
            "hidden": head_sizes.hidden,
            "classes": list(CLASSES),
        }
        _write_part(folder / "head", head_tensors, configuration, "fp32", head)
        describe_bundle(
            folder,
            name=name,
            demonstration=False,
            chunk_length=chunk_length,
            precision=precision,
            nucleotide_model=dnabert_sizes.label,
            protein_model=esm2_sizes.label,
            head=head.name,
            nucleotide_width=dnabert_sizes.width,
            protein_width=esm2_sizes.width,
            licences=dict.fromkeys(LICENCE_PARTS, NOT_STATED) | dict(licences or {}),
        )
    return read_bundle(output)


def _check_options(
    name: str, precision: str, dtype: str, chunk_length: int, head: Path, licences: Mapping[str, str]
) -> None:
    if precision not in PRECISIONS:
        raise BundleError(f"precision {precision!r} is not one of {', '.join(PRECISIONS)}")
    if dtype not in STORED_TYPES:
        raise BundleError(f"dtype {dtype!r} is not one of {', '.join(STORED_TYPES)}")
    if not 1 <= chunk_length <= LONGEST_CHUNK:
        raise BundleError(f"the chunk length must be from 1 to {LONGEST_CHUNK} bases, not {chunk_length}")
    for text in (name, head.name, *licences.values()):
        if not is_text(text):
            raise BundleError(f"{text!r} is not printable text", hint="it would stand beside every result")
    if unknown := sorted(set(licences) - set(LICENCE_PARTS)):
        raise BundleError(f"licence of {unknown[0]!r}: the parts are {', '.join(LICENCE_PARTS)}")
    trained = _TRAINED_LENGTH.match(head.name)
    if trained and int(trained[1]) != chunk_length:
        raise BundleError(
            f"by its name this head was trained on chunks of {trained[1]} bases, not {chunk_length}",
            path=head,
            hint=f"give chunk length {trained[1]}, or rename the file if its name is wrong",
        )


def _check_widths(head: HeadSizes, dnabert: DnabertSizes, esm2: Esm2Sizes, path: Path) -> None:
    if head.width == dnabert.width + esm2.width:
        return
    fitting = fitting_esm2(head.width, dnabert.width)
    raise BundleError(
        misfit(head.width, dnabert.width, esm2.width),
        path=path,
        hint=f"give ESM-2 {fitting}, or a head trained on yours" if fitting else "give the models it was trained on",
    )


def _write_part(folder: Path, tensors: Tensors, configuration: dict[str, object], dtype: str, source: Path) -> None:
    folder.mkdir()
    stored: Tensors = {}
    places: set[int] = set()
    for name, tensor in tensors.items():
        value = _stored(name, tensor, dtype, source)
        # Tied tensors: safetensors keeps no two in one place.
        stored[name] = value.clone() if value.data_ptr() in places else value
        places.add(stored[name].data_ptr())
    try:
        save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    except SafetensorError as error:
        raise OutputError(f"{folder} cannot be written: {error}", hint="is the disk full?") from None
    write_json(folder / "config.json", configuration)


def _stored(name: str, tensor: torch.Tensor, dtype: str, source: Path) -> torch.Tensor:
    if not tensor.is_floating_point() and not name.endswith("num_batches_tracked"):
        raise BundleError(
            f"{name} holds {tensor.dtype}, not floating-point numbers",
            path=source,
            hint="get the weights as they were trained, not a quantised copy",
        )
    # Half precision would turn a token at position 160 by up to 0.025 rad.
    kept = torch.float32 if name.endswith("inv_freq") else STORED_TYPES[dtype]
    converted = tensor.to(kept).contiguous() if tensor.is_floating_point() else tensor
    if not bool(torch.isfinite(converted).all()):
        raise BundleError(
            f"{name} holds a value that is not finite in {kept}",
            path=source,
            hint="store it as fp32, or download again",
        )
    if converted.untyped_storage().nbytes() != converted.nbytes:
        return converted.clone()
    return converted
