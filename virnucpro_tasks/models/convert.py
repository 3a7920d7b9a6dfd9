"""Converts published weight files to a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from virnucpro_tasks.errors import BundleError, OutputError
from virnucpro_tasks.models.bundle import (
    CARD_FILE,
    DESCRIPTION_FILE,
    ENCODER_FILES,
    LONGEST_CHUNK,
    NO_HEAD,
    PRECISIONS,
    Bundle,
    BundleDescription,
    describe_bundle,
    is_text,
    read_bundle,
    read_description,
)
from virnucpro_tasks.models.canonical import canonical_dnabert_s, canonical_esm2, canonical_head
from virnucpro_tasks.models.card import Card, check_chunk_length, check_weights, encoder_weights, read_card, what_fits
from virnucpro_tasks.models.configs import head_configuration
from virnucpro_tasks.models.folder import new_folder
from virnucpro_tasks.models.head_length import HeadLength, KnownHeads, head_length
from virnucpro_tasks.models.jsonfile import read_json
from virnucpro_tasks.models.locate import DEMONSTRATION, demo_bundle
from virnucpro_tasks.models.pickled import CLASSIFIER_CLASSES, FAIR_ESM_CLASSES, Tensors
from virnucpro_tasks.models.sizes import (
    CLASSES,
    SHORT_KIND,
    SHORT_PREFIX,
    DnabertSizes,
    Esm2Sizes,
    HeadConfiguration,
    HeadSizes,
    MlpConfiguration,
    ShortConfiguration,
    fitting_esm2,
    misfit,
)
from virnucpro_tasks.models.tokenizer import read_tokenizer
from virnucpro_tasks.models.verification import verify_once
from virnucpro_tasks.models.weights import read_weights
from virnucpro_tasks.system.file_operations import exists, utf8_path
from virnucpro_tasks.system.files import file_sha256, write_json

STORED_TYPES = {"fp32": torch.float32, "fp16": torch.float16}
LICENCE_PARTS = ("dnabert-s", "esm2", "head")
NOT_STATED = "not stated"
_AGAIN = "copy or convert the bundle again"
CHUNK_LENGTH = 500
"""Bases; the default of 'virnucpro train' for a bundle without a head."""
TOKENIZER_FILE = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class _Fitted:
    """The tensors and sizes of the head file `path`, and what its configuration says, if it was fitted by this package.

    `short` are the sizes of its part for short records, whose tensors are among the others.
    """

    path: Path
    tensors: Tensors
    sizes: HeadSizes
    stated: HeadConfiguration | None
    short: HeadSizes | None = None

    @classmethod
    def read(cls, head: Path, card: Card | None) -> _Fitted:
        """Raises BundleError."""
        weights = read_weights(head, allowed=CLASSIFIER_CLASSES)
        # Only a head with a card was fitted here, and has a configuration of ours.
        stated = head_configuration(head) if card is not None else None
        if stated is None or stated.kind != SHORT_KIND:
            return cls(head, *canonical_head(weights), stated)
        whole: Tensors = {}
        part: Tensors = {}
        for name, tensor in weights.tensors.items():
            (part if name.startswith(SHORT_PREFIX) else whole)[name.removeprefix(SHORT_PREFIX)] = tensor
        tensors, sizes = canonical_head(replace(weights, tensors=whole))
        of_part, short = canonical_head(replace(weights, tensors=part))
        tensors |= {SHORT_PREFIX + name: value for name, value in of_part.items()}
        return cls(head, tensors, sizes, stated, short)

    def configuration(self, dnabert: DnabertSizes, esm2: Esm2Sizes) -> MlpConfiguration | ShortConfiguration:
        """The content of config.json."""
        stated = self.stated
        whole = MlpConfiguration(
            nucleotide_width=dnabert.width,
            protein_width=esm2.width,
            hidden=self.sizes.hidden,
            classes=CLASSES,
            record_score=None if stated is None else stated.record_score,
        )
        if stated is None or self.short is None:
            return whole
        return ShortConfiguration(
            kind=SHORT_KIND,
            nucleotide_width=whole.nucleotide_width,
            protein_width=whole.protein_width,
            hidden=whole.hidden,
            short_hidden=self.short.hidden,
            classes=CLASSES,
            record_score=whole.record_score,
            nucleotides_below=stated.nucleotides_below,
        )


def convert_bundle(
    *,
    name: str,
    dnabert: Path,
    esm2: Path,
    output: Path,
    head: Path | None = None,
    chunk_length: int | None = None,
    precision: str,
    dtype: str = "fp32",
    tokenizer: Path | None = None,
    licences: Mapping[str, str] | None = None,
    known: KnownHeads = MappingProxyType({}),
    warn: Callable[[str], object] = lambda text: None,
) -> Bundle:
    """Write a new bundle folder `output` from published weight files, complete or not at all.

    - `dnabert` and `esm2` are a weight file, the index of a sharded one, a folder with one of these, or a bundle.
    - `tokenizer` is by default the tokenizer.json beside the DNABERT-S weights.
    - `head` is a file or a bundle. If its card names other encoders than these, it is refused. Without a head the new
      bundle holds encoders for 'virnucpro train'.
    - `chunk_length` (bases) is the length that the head was trained on; required if neither a card, a bundle, its name
      nor one of the `known` digests tells it. Then `warn` is told so.
    - `precision` (fp32, fp16, bf16) is the one of jobs that name none; `dtype` (fp32, fp16) is the number type in which
      the language models are stored. Rotary frequencies and the head are always stored in fp32.

    The bundle is marked as a demonstration if a part is of one. Raises BundleError naming the file at fault, or
    OutputError if `output` exists.
    """
    dnabert, esm2 = _part(dnabert, "dnabert-s"), _part(esm2, "esm2")
    head = None if head is None else _part(head, "head")
    card_file, card = _card_beside(head)
    trained = _chunk_length(chunk_length, head, card, known)
    chunk_length = trained.chunk_length
    _check_options(name, precision, dtype, chunk_length, head, licences or {})
    if card is not None:
        check_chunk_length(card_file, card, chunk_length)
    if trained.warning:
        warn(trained.warning)
    dnabert_tensors, dnabert_sizes = canonical_dnabert_s(dnabert_weights := read_weights(dnabert))
    # The small files first: a wrong head or tokenizer is reported before gigabytes are read.
    fitted = None if head is None else _Fitted.read(head, card)
    words = read_tokenizer(tokenizer or dnabert_weights.path.parent / TOKENIZER_FILE, rows=dnabert_sizes.vocabulary)
    esm2_tensors, esm2_sizes = canonical_esm2(read_weights(esm2, allowed=FAIR_ESM_CLASSES))
    if fitted is not None:
        _check_widths(fitted, dnabert_sizes, esm2_sizes, card)
    with new_folder(output) as folder:
        _write_part(folder / "dnabert-s", dnabert_tensors, dnabert_sizes, dtype, dnabert)
        words.save(str(folder / "dnabert-s" / TOKENIZER_FILE))
        _write_part(folder / "esm2", esm2_tensors, esm2_sizes, dtype, esm2)
        if fitted is not None:
            configuration = fitted.configuration(dnabert_sizes, esm2_sizes)
            _write_part(folder / "head", fitted.tensors, configuration, "fp32", fitted.path)
        if card is not None:
            check_weights(card_file, card, encoder_weights(folder))
            _write_card(folder, card_file)
        describe_bundle(
            folder,
            name=name,
            demonstration=any(_is_of_demonstration(path) for path in (dnabert, esm2, head) if path is not None),
            chunk_length=chunk_length,
            precision=precision,
            nucleotide_model=dnabert_sizes.label,
            protein_model=esm2_sizes.label,
            head=NO_HEAD if head is None else _head_name(head),
            nucleotide_width=dnabert_sizes.width,
            protein_width=esm2_sizes.width,
            licences=dict.fromkeys(LICENCE_PARTS, NOT_STATED) | dict(licences or {}),
        )
    return read_bundle(output)


def _part(path: Path, part: str) -> Path:
    """`path`, or the folder `part` in it if it is a bundle; 'demo' is the shipped demonstration."""
    if str(path) == DEMONSTRATION and not path.exists():
        path = demo_bundle().path
    with suppress(OSError):  # whoever reads it says what it is
        if not exists(path):
            raise BundleError("No such file or directory", path=path, hint="check the path")
    if not (path / DESCRIPTION_FILE).is_file():
        return path
    verify_once(Bundle(path, read_description(path)), part=f"{part}/")
    return path / part


def _bundle_of(path: Path) -> BundleDescription | None:
    """The description of the bundle in which a part, or its weight file, lies."""
    for folder in (path.parent, path.parent.parent):
        if (folder / DESCRIPTION_FILE).is_file():
            return read_description(folder)
    return None


def _is_of_demonstration(path: Path) -> bool:
    bundle = _bundle_of(path)
    return bundle is not None and bundle.demonstration


def _card_beside(head: Path | None) -> tuple[Path, Card | None]:
    file = (head or Path()) / Path(CARD_FILE).name
    return file, read_card(file) if head is not None and file.is_file() else None


def _chunk_length(stated: int | None, head: Path | None, card: Card | None, known: KnownHeads) -> HeadLength:
    """The chunk length of a new bundle. What the card of a head says is compared with what is stated by the caller."""
    if head is None:
        return HeadLength(CHUNK_LENGTH if stated is None else stated)
    if card is not None:
        return HeadLength(card.head.chunk_length if stated is None else stated)
    if (bundle := _bundle_of(head)) is None:
        return head_length(head, stated, known)
    if stated not in (None, bundle.chunk_length):
        raise BundleError(
            f"by its bundle this head was trained on chunks of {bundle.chunk_length} bases, not {stated}",
            path=head,
            hint=f"give chunk length {bundle.chunk_length}, or leave it out",
        )
    return HeadLength(bundle.chunk_length)


def _write_card(folder: Path, source: Path) -> None:
    """Write the card `source` with the digests of the encoder files in `folder`."""
    card = read_json(source, hint=_AGAIN)
    card["encoders"]["sha256"] = {name: file_sha256(folder / name) for name in ENCODER_FILES}
    write_json(folder / CARD_FILE, card)


def _head_name(head: Path) -> str:
    return head.absolute().parent.name if head.is_dir() else head.name


def _check_options(
    name: str, precision: str, dtype: str, chunk_length: int, head: Path | None, licences: Mapping[str, str]
) -> None:
    if precision not in PRECISIONS:
        raise BundleError(f"precision {precision!r} is not one of {', '.join(PRECISIONS)}")
    if dtype not in STORED_TYPES:
        raise BundleError(f"dtype {dtype!r} is not one of {', '.join(STORED_TYPES)}")
    if not 1 <= chunk_length <= LONGEST_CHUNK:
        raise BundleError(f"the chunk length must be from 1 to {LONGEST_CHUNK} bases, not {chunk_length}")
    for text in (name, *([] if head is None else [_head_name(head)]), *licences.values()):
        if not is_text(text):
            raise BundleError(f"{text!r} is not printable text", hint="it would stand beside every result")
    if unknown := sorted(set(licences) - set(LICENCE_PARTS)):
        raise BundleError(f"licence of {unknown[0]!r}: the parts are {', '.join(LICENCE_PARTS)}")


def _check_widths(head: _Fitted, dnabert: DnabertSizes, esm2: Esm2Sizes, card: Card | None) -> None:
    width = head.sizes.width
    if width == dnabert.width + esm2.width and (head.short is None or head.short.width == dnabert.width):
        return
    fitting = fitting_esm2(width, dnabert.width)
    models = f"ESM-2 {fitting}" if fitting else "the models it was trained on"
    raise BundleError(
        misfit(width, dnabert.width, esm2.width) + (f"; {what_fits(card)}" if card is not None else ""),
        path=head.path,
        hint=f"give {models}, or a head for yours: 'virnucpro train' fits one",
    )


def _write_part(folder: Path, tensors: Tensors, configuration: msgspec.Struct, dtype: str, source: Path) -> None:
    folder.mkdir()
    stored: Tensors = {}
    places: set[int] = set()
    for name, tensor in tensors.items():
        value = _stored(name, tensor, dtype, source)
        # safetensors refuses tensors that share memory, as tied ones do.
        stored[name] = value.clone() if value.data_ptr() in places else value
        places.add(stored[name].data_ptr())
    try:
        with utf8_path(folder / "model.safetensors") as weights:
            save_file(stored, weights, metadata={"format": "pt"})
    except SafetensorError as error:
        raise OutputError(f"{folder} cannot be written: {error}", hint="is the disk full?") from None
    write_json(folder / "config.json", msgspec.to_builtins(configuration))


def _stored(name: str, tensor: torch.Tensor, dtype: str, source: Path) -> torch.Tensor:
    if not tensor.is_floating_point() and not name.endswith("num_batches_tracked"):
        raise BundleError(
            f"{name} holds {tensor.dtype}, not floating-point numbers",
            path=source,
            hint="get the weights as they were trained, not a quantised copy",
        )
    # Frequencies in half precision would rotate a token at position 160 by up to 0.025 rad more or less.
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
