"""Renames the tensors of published files to the names in a bundle, and derives the sizes from their shapes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from virnucpro_tasks.errors import BundleError, counted
from virnucpro_tasks.models.sizes import (
    ESM2_VOCABULARY,
    PUBLISHED_DNABERT_S_HEADS,
    PUBLISHED_ESM2,
    DnabertSizes,
    Esm2Sizes,
    HeadSizes,
    Shapes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from virnucpro_tasks.models.pickled import Tensors
    from virnucpro_tasks.models.weights import Weights

_FAIR_ANCHOR = "embed_tokens.weight"
_BERT_ANCHOR = "embeddings.word_embeddings.weight"
_HEAD_ANCHOR = "hidden_layer.weight"
_BATCH_COUNT = "bn1.num_batches_tracked"
_FREQUENCIES = "self_attn.rot_emb.inv_freq"
_NAMES_IN_A_MESSAGE = 3
_NAME_LENGTH_IN_A_MESSAGE = 80
_PUBLISHED = "check that this is the published file of this model"
_CONFIGURATION = "put its config.json beside it"

_UNUSED_ESM2 = re.compile(
    r"(.*\.)?(lm_head|contact_head|pooler|classifier)\..*|(.*\.)?embeddings\.(position_ids|position_embeddings\.weight)"
)
_UNUSED_DNABERT_S = re.compile(r"(.*\.)?(cls|pooler|classifier)\..*|(.*\.)?embeddings\.position_ids")
_HUGGING_FACE_LAYER = re.compile(r"encoder\.layer\.([0-9]+)\.(.+?)(\.weight|\.bias|\.inv_freq)")
_HUGGING_FACE_LAYER_NAMES = {
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.output.dense": "self_attn.out_proj",
    "attention.self.rotary_embeddings": "self_attn.rot_emb",
    "attention.LayerNorm": "self_attn_layer_norm",
    "intermediate.dense": "fc1",
    "output.dense": "fc2",
    "LayerNorm": "final_layer_norm",
}
_HUGGING_FACE_NAMES = {
    "embeddings.word_embeddings.weight": _FAIR_ANCHOR,
    "encoder.emb_layer_norm_after.weight": "emb_layer_norm_after.weight",
    "encoder.emb_layer_norm_after.bias": "emb_layer_norm_after.bias",
}
_HUGGING_FACE_FREQUENCIES = ("rotary_embeddings.inv_freq", "encoder.layer.*.attention.self.rotary_embeddings.inv_freq")
_OLD_NORM_NAME = re.compile(r"(.*LayerNorm)\.(gamma|beta)", re.IGNORECASE)
_NORM_NAMES = {"gamma": "weight", "beta": "bias"}
"""transformers 5 reads both spellings of norms and of frequencies; it writes gamma, beta and the name with the star."""


def canonical_esm2(weights: Weights) -> tuple[Tensors, Esm2Sizes]:
    """ESM-2 of a fair-esm or Hugging Face file, under the names of the fair-esm module and without output heads.

    Rotary frequencies stored once for all layers are copied to each. The number of attention heads comes from the
    configuration, the length of the rotary frequencies or the table of published sizes. Raises BundleError.
    """
    path = weights.path
    anchor = _FAIR_ANCHOR if _has(weights.tensors, _FAIR_ANCHOR) else _BERT_ANCHOR
    tensors = _unprefixed(weights, anchor, _UNUSED_ESM2, what="ESM-2")
    if anchor == _BERT_ANCHOR:
        tensors = _fair_names(tensors)
    width = _width(tensors[_FAIR_ANCHOR], path)
    if (rows := tensors[_FAIR_ANCHOR].shape[0]) != ESM2_VOCABULARY:
        raise BundleError(
            f"this is not ESM-2: it has {rows} tokens instead of {ESM2_VOCABULARY}", path=path, hint=_PUBLISHED
        )
    layers = _count_layers(tensors, r"layers\.([0-9]+)\.", path, what="ESM-2")
    for shared in [tensors.pop(name) for name in _HUGGING_FACE_FREQUENCIES if name in tensors]:
        tensors |= {f"layers.{number}.{_FREQUENCIES}": shared.clone() for number in range(layers)}
    heads = _esm2_heads(weights, tensors, layers, width)
    if width // heads % 2:
        raise BundleError(f"{width // heads} numbers a head have no halves to rotate", path=path, hint=_CONFIGURATION)
    sizes = Esm2Sizes(layers, width, heads)
    has_frequencies = any(name.endswith(_FREQUENCIES) for name in tensors)
    _check(tensors, sizes.shapes() | (sizes.frequency_shapes() if has_frequencies else {}), path)
    _check_frequencies(tensors, path)
    return tensors, sizes


def canonical_dnabert_s(weights: Weights) -> tuple[Tensors, DnabertSizes]:
    """DNABERT-S without name prefix, pooler and language-model head. Raises BundleError."""
    path = weights.path
    if not any(name.endswith("attention.self.Wqkv.weight") for name in weights.tensors):
        raise BundleError("this is not a DNABERT-S file: it has no attention.self.Wqkv", path=path, hint=_PUBLISHED)
    tensors = _unprefixed(weights, _BERT_ANCHOR, _UNUSED_DNABERT_S, what="DNABERT-S")
    layers = _count_layers(tensors, r"encoder\.layer\.([0-9]+)\.", path, what="DNABERT-S")
    width = _width(tensors[_BERT_ANCHOR], path)
    gated = tensors.get("encoder.layer.0.mlp.gated_layers.weight")
    if gated is None:
        raise BundleError("encoder.layer.0.mlp.gated_layers.weight is missing", path=path, hint=_PUBLISHED)
    _width(gated, path)
    heads = weights.heads or PUBLISHED_DNABERT_S_HEADS.get((layers, width))
    if heads is None:
        raise BundleError(
            f"how many heads has a DNABERT-S of {counted(layers, 'layer')} and width {width}?",
            path=path,
            hint=_CONFIGURATION,
        )
    _check_heads(heads, width, path)
    sizes = DnabertSizes(layers, width, heads, gated.shape[0] // 2, tensors[_BERT_ANCHOR].shape[0])
    _check(tensors, sizes.shapes(), path)
    return tensors, sizes


def canonical_head(weights: Weights) -> tuple[Tensors, HeadSizes]:
    """The classifier under its published names. Raises BundleError."""
    tensors = _unprefixed(weights, _HEAD_ANCHOR, None, what="a VirNucPro classifier")
    weight = tensors[_HEAD_ANCHOR]
    sizes = HeadSizes(width=_width(weight, weights.path), hidden=weight.shape[0])
    shapes = sizes.shapes()
    if _BATCH_COUNT in tensors:
        shapes[_BATCH_COUNT] = ()
    _check(tensors, shapes, weights.path)
    if bool((tensors["bn1.running_var"] < 0).any()):
        raise BundleError("bn1.running_var holds a negative variance", path=weights.path, hint=_PUBLISHED)
    return tensors, sizes


def _has(names: Iterable[str], anchor: str) -> bool:
    return any(name == anchor or name.endswith("." + anchor) for name in names)


def _unprefixed(weights: Weights, anchor: str, unused: re.Pattern[str] | None, *, what: str) -> Tensors:
    """The tensors that share the prefix of `anchor`, without it; those that `unused` matches are dropped."""
    prefixes = [name.removesuffix(anchor) for name in weights.tensors if name.endswith(anchor)]
    if not prefixes or not _has(weights.tensors, anchor):
        raise BundleError(f"this is not {what}: it has no tensor {anchor}", path=weights.path, hint=_PUBLISHED)
    prefix = min(prefixes, key=len)
    kept = {name: tensor for name, tensor in weights.tensors.items() if not (unused and unused.fullmatch(name))}
    if strange := sorted(name for name in kept if not name.startswith(prefix)):
        raise BundleError(f"unexpected tensors: {_listed(strange)}", path=weights.path, hint=_PUBLISHED)
    renamed = {_modern(name.removeprefix(prefix)): tensor for name, tensor in kept.items()}
    if len(renamed) < len(kept):
        raise BundleError("a norm is in it twice, under the old and the new name", path=weights.path, hint=_PUBLISHED)
    return renamed


def _modern(name: str) -> str:
    match = _OLD_NORM_NAME.fullmatch(name)
    return f"{match[1]}.{_NORM_NAMES[match[2].lower()]}" if match else name


def _fair_names(tensors: Tensors) -> Tensors:
    renamed: Tensors = {}
    for name, tensor in tensors.items():
        match = _HUGGING_FACE_LAYER.fullmatch(name)
        if match and match[2] in _HUGGING_FACE_LAYER_NAMES:
            name = f"layers.{match[1]}.{_HUGGING_FACE_LAYER_NAMES[match[2]]}{match[3]}"
        renamed[_HUGGING_FACE_NAMES.get(name, name)] = tensor
    return renamed


def _count_layers(tensors: Tensors, pattern: str, path: Path, *, what: str) -> int:
    numbers = {match[1] for name in tensors if (match := re.match(pattern, name))}
    if not numbers:
        raise BundleError(f"this is not {what}: it has no layers", path=path, hint=_PUBLISHED)
    # Not the highest number: a single tensor named layers.999999999 would cause a list of as many names.
    if strange := sorted(numbers - set(map(str, range(len(numbers))))):
        raise BundleError(
            f"it has {counted(len(numbers), 'layer')}, one of them numbered {_shown(strange[0])}",
            path=path,
            hint=_PUBLISHED,
        )
    return len(numbers)


def _width(matrix: object, path: Path) -> int:
    shape = tuple(getattr(matrix, "shape", ()))
    if len(shape) != 2 or not all(shape):
        raise BundleError(f"a matrix was expected, there is one of shape {list(shape)}", path=path, hint=_PUBLISHED)
    return int(shape[1])


def _esm2_heads(weights: Weights, tensors: Tensors, layers: int, width: int) -> int:
    lengths = {int(tensor.numel()) for name, tensor in tensors.items() if name.endswith(_FREQUENCIES)}
    from_lengths = {width // (2 * length) for length in lengths if length}
    _, published = PUBLISHED_ESM2.get((layers, width), ("", None))
    found = from_lengths | ({weights.heads} if weights.heads else set())
    if len(found) > 1:
        raise BundleError(
            f"its rotary frequencies and its configuration give different numbers of heads: {sorted(found)}",
            path=weights.path,
            hint="put the config.json of this model beside it",
        )
    heads = next(iter(found), published)
    if heads is None:
        raise BundleError(
            f"how many heads has an ESM-2 of {counted(layers, 'layer')} and width {width}?",
            path=weights.path,
            hint=_CONFIGURATION,
        )
    _check_heads(heads, width, weights.path)
    return heads


def _check_heads(heads: int, width: int, path: Path) -> None:
    if heads < 1 or width % heads:
        raise BundleError(f"{heads} heads do not divide the width {width}", path=path, hint=_CONFIGURATION)


def _check_frequencies(tensors: Tensors, path: Path) -> None:
    frequencies = [tensor.float() for name, tensor in tensors.items() if name.endswith(_FREQUENCIES)]
    if any(not frequencies[0].equal(other) for other in frequencies[1:]):
        raise BundleError("the layers have different rotary frequencies", path=path, hint=_PUBLISHED)


def _check(tensors: Tensors, expected: Shapes, path: Path) -> None:
    """Raise BundleError unless `tensors` are exactly the expected names, each of its shape."""
    if missing := sorted(set(expected) - set(tensors)):
        raise BundleError(f"missing tensors: {_listed(missing)}", path=path, hint=_PUBLISHED)
    if strange := sorted(set(tensors) - set(expected)):
        raise BundleError(f"unexpected tensors: {_listed(strange)}", path=path, hint=_PUBLISHED)
    for name, shape in expected.items():
        if tuple(tensors[name].shape) != shape:
            raise BundleError(
                f"{name} has shape {list(tensors[name].shape)}, expected {list(shape)}", path=path, hint=_PUBLISHED
            )


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMES_IN_A_MESSAGE
    return ", ".join(map(_shown, names[:_NAMES_IN_A_MESSAGE])) + (f" and {more} more" if more > 0 else "")


def _shown(name: str) -> str:
    """A name from a foreign file, short and printable."""
    short = name[:_NAME_LENGTH_IN_A_MESSAGE]
    return short if short.isprintable() else ascii(short)
