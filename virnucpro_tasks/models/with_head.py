"""Makes a bundle of the encoders of another one and a published or own classifier, without copying the encoders."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
from safetensors.torch import save_file

from virnucpro_tasks.errors import BundleError, OutputError, VirnucproError
from virnucpro_tasks.models.bundle import ENCODER_FILES, Bundle, describe_bundle, is_text, read_bundle
from virnucpro_tasks.models.canonical import canonical_head
from virnucpro_tasks.models.file_state import CACHE_VARIABLE
from virnucpro_tasks.models.folder import new_folder
from virnucpro_tasks.models.pickled import CLASSIFIER_CLASSES, Tensors
from virnucpro_tasks.models.sizes import CLASSES, HeadSizes, MlpConfiguration, misfit
from virnucpro_tasks.models.verification import verify_once
from virnucpro_tasks.models.weights import read_weights
from virnucpro_tasks.system.file_operations import link_or_copy, make_folder, utf8_path
from virnucpro_tasks.system.files import file_sha256, write_json

_KEY_LETTERS = 16


def bundle_with_head(encoders: Bundle, head: Path, *, chunk_length: int, folder: Path | None = None) -> Bundle:
    """The bundle with the models of `encoders` and the classifier in the file `head`, made once and kept in `folder`.

    Its encoder files are hard links where that is possible. `chunk_length` is in bases; `folder` is by default
    virnucpro/bundles in XDG_CACHE_HOME. The file is read without running what is in it. Raises BundleError for a file
    that is no classifier or does not fit, OutputError if the folder cannot be written.
    """
    tensors, sizes = canonical_head(read_weights(head, allowed=CLASSIFIER_CLASSES))
    description = encoders.description
    if sizes.width != description.nucleotide_width + description.protein_width:
        raise BundleError(
            misfit(sizes.width, description.nucleotide_width, description.protein_width),
            path=head,
            hint="give --bundle with the models that it was trained on",
        )
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise BundleError(
                f"{name} holds a value that is not finite", path=head, hint="get the file again, or train it again"
            )
    if not is_text(head.name):
        raise BundleError("its name is not printable text, and would stand beside every result", path=head)
    key = hashlib.sha256(f"{encoders.digest} {file_sha256(head)} {head.name} {chunk_length}".encode()).hexdigest()
    output = (folder or _cache()) / f"{description.name}-{key[:_KEY_LETTERS]}".replace(os.sep, "_")
    if output.is_dir():
        return read_bundle(output)
    verify_once(encoders)
    make_folder(output.parent)
    try:
        return _written(output, encoders, head, tensors, sizes, chunk_length)
    except OutputError:
        # Another command has made it meanwhile.
        if output.is_dir():
            return read_bundle(output)
        raise


def _written(
    output: Path, encoders: Bundle, head: Path, tensors: Tensors, sizes: HeadSizes, chunk_length: int
) -> Bundle:
    description = encoders.description
    with new_folder(output) as made:
        for member in ENCODER_FILES:
            make_folder((made / member).parent)
            link_or_copy(encoders.path / member, made / member)
        make_folder(made / "head")
        with utf8_path(made / "head" / "model.safetensors") as weights:
            stored = {
                name: (value.float() if value.is_floating_point() else value).contiguous().clone()
                for name, value in tensors.items()
            }
            save_file(stored, weights, metadata={"format": "pt"})
        configuration = MlpConfiguration(
            nucleotide_width=description.nucleotide_width,
            protein_width=description.protein_width,
            hidden=sizes.hidden,
            classes=CLASSES,
            record_score=None,
        )
        write_json(made / "head" / "config.json", msgspec.to_builtins(configuration))
        describe_bundle(
            made,
            name=description.name,
            demonstration=description.demonstration,
            chunk_length=chunk_length,
            precision=description.precision,
            nucleotide_model=description.nucleotide_model,
            protein_model=description.protein_model,
            head=head.name,
            nucleotide_width=description.nucleotide_width,
            protein_width=description.protein_width,
            licences=description.licences | {"head": "not stated"},
        )
    return read_bundle(output)


def _cache() -> Path:
    try:
        home = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache")
    except RuntimeError:
        raise VirnucproError("there is no home folder to keep a bundle in", hint=f"set {CACHE_VARIABLE}") from None
    return home / "virnucpro" / "bundles"
