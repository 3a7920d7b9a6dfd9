"""Makes a bundle of random weights: real architectures of tiny size, in a second and without torch.

Its scores mean nothing; it is for trying whether everything runs. The shipped demonstration is trained, by `training/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.models.bundle import Bundle, describe_bundle, read_bundle
from virnucpro_tasks.models.folder import new_folder
from virnucpro_tasks.models.sizes import CLASSES, DnabertSizes, Esm2Sizes, HeadSizes, MlpConfiguration, Shapes
from virnucpro_tasks.models.tokenizer import BASES
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import utf8_path
from virnucpro_tasks.system.files import write_json

NAME = "random"
SEED = 20
CHUNK_LENGTH = 500
SPECIAL_TOKENS = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")
LICENCE = "MIT, random numbers made by this project"

# Fused attention kernels need at least eight numbers per head.
ESM2 = Esm2Sizes(layers=3, width=64, heads=4)
DNABERT_S = DnabertSizes(layers=2, width=96, heads=12, feed_forward=192, vocabulary=512)
HEAD = HeadSizes(width=DNABERT_S.width + ESM2.width, hidden=64)

_ROTARY_BASE = 10_000.0
_TOKEN_TYPE_SCALE = 0.1
_OUTPUT_SCALE = 6.0
"""Spreads the scores of ordinary frames over about 0.1 to 0.9."""

Arrays = dict[str, np.ndarray]


def build_demo_bundle(output: Path, *, sequences: Iterable[str], seed: int = SEED) -> Bundle:
    """Write a random bundle as a new folder; its tokenizer is trained on `sequences` (A, C, G, T).

    Equal arguments give equal files. Raises OutputError if `output` exists.
    """
    random = np.random.default_rng(seed)
    with new_folder(output) as folder:
        _write_part(folder / "dnabert-s", _dnabert_s_weights(random), DNABERT_S, np.float16)
        train_tokenizer(sequences).save(str(folder / "dnabert-s" / "tokenizer.json"))
        _write_part(folder / "esm2", _esm2_weights(random), ESM2, np.float16)
        configuration = MlpConfiguration(
            nucleotide_width=DNABERT_S.width, protein_width=ESM2.width, hidden=HEAD.hidden, classes=CLASSES
        )
        _write_part(folder / "head", _head_weights(random), configuration, np.float32)
        describe_bundle(
            folder,
            name=NAME,
            demonstration=True,
            chunk_length=CHUNK_LENGTH,
            precision="fp32",
            nucleotide_model=f"{DNABERT_S.label}, random weights",
            protein_model=f"{ESM2.label}, random weights",
            head="random weights",
            nucleotide_width=DNABERT_S.width,
            protein_width=ESM2.width,
            licences=dict.fromkeys(("dnabert-s", "esm2", "head"), LICENCE),
        )
    return read_bundle(output)


def fasta_sequences(path: Path) -> list[str]:
    """The sequences of a plain FASTA file. Raises InputError."""
    try:
        records = path.read_text(encoding="ascii").split(">")[1:]
    except OSError as error:
        cause = cause_of(error)
        raise InputError(cause.words, file=str(path), hint=cause.advice) from None
    except UnicodeDecodeError:
        raise InputError("cannot be read as text", file=str(path), hint="give an uncompressed FASTA file") from None
    if not records:
        raise InputError("no FASTA record in it", file=str(path))
    return ["".join(record.split("\n")[1:]) for record in records]


def train_tokenizer(sequences: Iterable[str], *, vocabulary: int = DNABERT_S.vocabulary) -> Tokenizer:
    """A tokenizer with the pipeline of DNABERT-S and at most `vocabulary` tokens.

    Special tokens have ids 0 to 4, A, C, G and T 5 to 8, as published.
    """
    tokenizer = Tokenizer(BPE(unk_token=SPECIAL_TOKENS[0]))
    tokenizer.pre_tokenizer = Whitespace()
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
        initial_alphabet=list(BASES),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_pieces(sequences), trainer)
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    return tokenizer


def _pieces(sequences: Iterable[str], length: int = 100) -> Iterable[str]:
    # BPE training is slow on whole genomes as single words; merged tokens are only a few bases long.
    for sequence in sequences:
        kept = "".join(base for base in sequence.upper() if base in BASES)
        yield from (kept[start : start + length] for start in range(0, len(kept), length))


def _write_part(folder: Path, arrays: Arrays, configuration: msgspec.Struct, dtype: type[np.floating]) -> None:
    folder.mkdir()
    stored = {name: array.astype(np.float32 if name.endswith("inv_freq") else dtype) for name, array in arrays.items()}
    with utf8_path(folder / "model.safetensors") as weights:
        save_file(stored, weights, metadata={"format": "pt"})
    write_json(folder / "config.json", msgspec.to_builtins(configuration))


def _random_weights(random: np.random.Generator, shapes: Shapes, *, norms: Sequence[str]) -> Arrays:
    """Random weights: matrices scaled to keep the variance of their input, norms near one, small biases."""
    arrays: Arrays = {}
    for name, shape in sorted(shapes.items()):
        noise = random.standard_normal(shape)
        if any(norm in name for norm in norms) and name.endswith("weight"):
            arrays[name] = 1 + 0.1 * noise
        elif len(shape) == 1:
            arrays[name] = 0.1 * noise
        else:
            arrays[name] = noise / np.sqrt(shape[-1])
    return arrays


def _dnabert_s_weights(random: np.random.Generator) -> Arrays:
    arrays = _random_weights(random, DNABERT_S.shapes(), norms=("LayerNorm", "layernorm"))
    arrays["embeddings.word_embeddings.weight"] *= np.sqrt(DNABERT_S.width)
    arrays["embeddings.token_type_embeddings.weight"] *= _TOKEN_TYPE_SCALE
    return arrays


def _esm2_weights(random: np.random.Generator) -> Arrays:
    arrays = _random_weights(random, ESM2.shapes(), norms=("layer_norm",))
    arrays["embed_tokens.weight"] *= np.sqrt(ESM2.width)
    length = ESM2.width // ESM2.heads // 2
    frequencies = _ROTARY_BASE ** -(np.arange(length) / length)
    return arrays | dict.fromkeys(ESM2.frequency_shapes(), frequencies)


def _head_weights(random: np.random.Generator) -> Arrays:
    arrays = _random_weights(random, HEAD.shapes(), norms=("bn1",))
    arrays["bn1.running_mean"] *= 0
    arrays["bn1.running_var"] = np.ones(HEAD.hidden)
    arrays["output_layer.weight"] *= _OUTPUT_SCALE
    return arrays
