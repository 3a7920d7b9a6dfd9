"""Sizes of the three networks, as config.json states them, and the names and shapes of their tensors in a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

from virnucpro_tasks.errors import SettingsError, counted

ESM2_VOCABULARY = 33
FEED_FORWARD_FACTOR = 4
CLASSES = ("others", "virus")

PUBLISHED_KIND = "mlp"
"""Kind of the heads that VirNucPro publishes."""

SHORT_KIND = "mlp_and_short_records"
"""Kind of the heads that have a part of their own, on nucleotide vectors alone, for short records."""

SHORT_PREFIX = "short_records."
"""How the tensors of that part begin."""

PUBLISHED_ESM2 = {
    (6, 320): ("t6_8M", 20),
    (12, 480): ("t12_35M", 20),
    (30, 640): ("t30_150M", 20),
    (33, 1280): ("t33_650M", 20),
    (36, 2560): ("t36_3B", 40),
    (48, 5120): ("t48_15B", 40),
}
"""Name and number of heads of each published ESM-2 by (layers, width)."""

PUBLISHED_DNABERT_S_HEADS = {(12, 768): 12}
"""Number of heads of DNABERT-S by (layers, width)."""

Shapes = dict[str, tuple[int, ...]]

# Several times the largest published model. Without bounds a damaged config.json could exhaust the memory.
Layers = Annotated[int, Meta(ge=1, le=512)]
Width = Annotated[int, Meta(ge=1, le=65_536)]
Heads = Annotated[int, Meta(ge=1, le=4_096)]
FeedForward = Annotated[int, Meta(ge=1, le=262_144)]
Vocabulary = Annotated[int, Meta(ge=1, le=1_048_576)]


class Esm2Sizes(Struct, frozen=True, forbid_unknown_fields=True):
    """The content of esm2/config.json; the feed-forward width is four times `width`."""

    layers: Layers
    width: Width
    heads: Heads

    @property
    def label(self) -> str:
        """The published name, or the sizes if it is none of the published models."""
        name, _ = PUBLISHED_ESM2.get((self.layers, self.width), ("", 0))
        return f"ESM-2 {name}" if name else _sizes("ESM-2", self.layers, self.width, self.heads)

    def shapes(self) -> Shapes:
        """Every tensor of esm2/model.safetensors except the rotary frequencies, see `frequency_shapes`."""
        width, inner = self.width, FEED_FORWARD_FACTOR * self.width
        shapes: Shapes = {"embed_tokens.weight": (ESM2_VOCABULARY, width)}
        for number in range(self.layers):
            layer = f"layers.{number}."
            for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
                shapes |= _linear(f"{layer}self_attn.{projection}", width, width)
            shapes |= _norm(f"{layer}self_attn_layer_norm", width)
            shapes |= _linear(f"{layer}fc1", inner, width) | _linear(f"{layer}fc2", width, inner)
            shapes |= _norm(f"{layer}final_layer_norm", width)
        return shapes | _norm("emb_layer_norm_after", width)

    def frequency_shapes(self) -> Shapes:
        """The rotary frequencies; a file holds all of them or none."""
        length = self.width // self.heads // 2
        return {f"layers.{number}.self_attn.rot_emb.inv_freq": (length,) for number in range(self.layers)}


def _sizes(name: str, layers: int, width: int, heads: int) -> str:
    return f"{name}, {counted(layers, 'layer')}, {width} wide, {counted(heads, 'head')}"


class DnabertSizes(Struct, frozen=True, forbid_unknown_fields=True):
    """The content of dnabert-s/config.json; `vocabulary` is the number of embedding rows."""

    layers: Layers
    width: Width
    heads: Heads
    feed_forward: FeedForward
    vocabulary: Vocabulary

    @property
    def label(self) -> str:
        if (self.layers, self.width) in PUBLISHED_DNABERT_S_HEADS:
            return "DNABERT-S"
        return _sizes("DNABERT-S", self.layers, self.width, self.heads)

    def shapes(self) -> Shapes:
        """Every tensor of dnabert-s/model.safetensors."""
        width = self.width
        shapes: Shapes = {
            "embeddings.word_embeddings.weight": (self.vocabulary, width),
            "embeddings.token_type_embeddings.weight": (2, width),
        } | _norm("embeddings.LayerNorm", width)
        for number in range(self.layers):
            layer = f"encoder.layer.{number}."
            shapes |= _linear(f"{layer}attention.self.Wqkv", 3 * width, width)
            shapes |= _linear(f"{layer}attention.output.dense", width, width)
            shapes |= _norm(f"{layer}attention.output.LayerNorm", width)
            shapes[f"{layer}mlp.gated_layers.weight"] = (2 * self.feed_forward, width)
            shapes |= _linear(f"{layer}mlp.wo", width, self.feed_forward)
            shapes |= _norm(f"{layer}mlp.layernorm", width)
        return shapes


Finite = Annotated[float, Meta(ge=-1e6, le=1e6)]
NotNegative = Annotated[float, Meta(ge=0, le=1e6)]
ShortLength = Annotated[int, Meta(ge=1, le=1_000_000)]


class FittedSegments(Struct, frozen=True, forbid_unknown_fields=True):
    """The values by which a segment counts in a record: log-odds x as `slope`·x + `intercept`, as `weight` frames."""

    slope: NotNegative
    intercept: Finite
    weight: Annotated[float, Meta(gt=0, le=1e6)]


class FittedWithoutFrames(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The values by which the log-odds of a record without any frame or segment follow from the natural logarithm of
    its bases, of which no more than the `longest` that was fitted count.
    """

    intercept: Finite
    per_log_length: Finite
    longest: Annotated[int, Meta(ge=1)] | None = None


class FittedRecordScore(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The values by which the log-odds of a record follow from the mean log-odds of its frames.

    See `classifier.record_score.RecordScore`. A record must not become less of a virus by frames that say virus, so
    the slopes are 0 or more. Only heads that were fitted with coverage by segments have values for these, and for
    records without any.

    `scale_variance` is the variance of a factor of the log-odds around 1, as uncertain as the fit left it. No more
    frames count than `most_frames`, which the record with most of them had that was fitted; all do without it.
    """

    intercept: Finite
    slope: NotNegative
    slope_per_log_frames: NotNegative
    slope_per_squared_log_frames: NotNegative = 0.0
    segments: FittedSegments | None = None
    without_frames: FittedWithoutFrames | None = None
    scale_variance: NotNegative = 0.0
    most_frames: Annotated[int, Meta(ge=1)] | None = None


class HeadConfiguration(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The entries of head/config.json that heads of every kind have.

    The published kind is left out of the file, so that a conversion gives the digest that it always gave. Only a head
    that `virnucpro train` fitted has values for the score of a record. Records of fewer bases than `nucleotides_below`
    are scored by their nucleotide vectors alone, with a part that only heads of the kind SHORT_KIND have.
    """

    kind: str = PUBLISHED_KIND
    nucleotide_width: Width
    protein_width: Width
    classes: tuple[str, ...]
    record_score: FittedRecordScore | None = None
    nucleotides_below: ShortLength | None = None

    def __post_init__(self) -> None:
        if (self.nucleotides_below is not None) != (self.kind == SHORT_KIND):
            raise ValueError(f"a head of the kind {SHORT_KIND} states nucleotides_below, and no other does")
        if self.classes != CLASSES:
            raise ValueError(f"classes must be {', '.join(CLASSES)}")


class MlpConfiguration(HeadConfiguration, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of head/config.json of the published kind of head."""

    hidden: Width


class ShortConfiguration(HeadConfiguration, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of head/config.json of the kind SHORT_KIND: hidden units of both of its parts."""

    hidden: Width
    short_hidden: Width


@dataclass(frozen=True, slots=True)
class HeadSizes:
    """Sizes of the classifier: input width (nucleotide and protein together, if it takes both) and hidden units."""

    width: int
    hidden: int

    def shapes(self) -> Shapes:
        """Every tensor that head/model.safetensors must hold; `bn1.num_batches_tracked` may be there too."""
        return (
            _linear("hidden_layer", self.hidden, self.width)
            | _norm("bn1", self.hidden)
            | {"bn1.running_mean": (self.hidden,), "bn1.running_var": (self.hidden,)}
            | _linear("output_layer", len(CLASSES), self.hidden)
        )


ESM2_NAMES = {name.rpartition("_")[2]: Esm2Sizes(*size, heads) for size, (name, heads) in PUBLISHED_ESM2.items()}
"""The published ESM-2 by the numbers of their parameters, as in 650M."""


def require_published(names: Sequence[str]) -> None:
    """Raise SettingsError for a name that is neither dnabert-s nor in ESM2_NAMES."""
    for name in names:
        if name != "dnabert-s" and name not in ESM2_NAMES:
            raise SettingsError(f"there is no model {name!r}", hint=f"dnabert-s, {', '.join(ESM2_NAMES)}")


def fitting_esm2(head_width: int, nucleotide_width: int) -> str | None:
    """The published ESM-2 that, together with vectors of `nucleotide_width`, fits a head of `head_width`."""
    wanted = head_width - nucleotide_width
    return next((name for (_, width), (name, _) in PUBLISHED_ESM2.items() if width == wanted), None)


def misfit(head_width: int, nucleotide_width: int, protein_width: int) -> str:
    """Message for a head that does not fit its two models: the widths, and the models that would fit."""
    wanted = head_width - nucleotide_width
    fitting = fitting_esm2(head_width, nucleotide_width)
    return (
        f"this head takes {head_width}{f' = {nucleotide_width} + {wanted}' if wanted > 0 else ''}"
        f"{f': it fits ESM-2 {fitting}' if fitting else ''}; "
        f"your DNABERT-S is {nucleotide_width} wide and your ESM-2 {protein_width}, "
        f"so they need a head that takes {nucleotide_width + protein_width}"
    )


def _linear(name: str, outputs: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
