"""Writes the three networks in the layouts of the published files, from tensors named as in a bundle."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from virnucpro_tasks.models.sizes import DnabertSizes, Esm2Sizes, HeadSizes, Shapes

ESM2 = Esm2Sizes(layers=2, width=24, heads=3)
DNABERT_S = DnabertSizes(layers=2, width=24, heads=4, feed_forward=48, vocabulary=64)
HEAD = HeadSizes(width=ESM2.width + DNABERT_S.width, hidden=6)

FREQUENCIES = "self_attn.rot_emb.inv_freq"
Tensors = dict[str, torch.Tensor]

_HUGGING_FACE = {
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "self_attn.rot_emb": "attention.self.rotary_embeddings",
    "self_attn_layer_norm": "attention.LayerNorm",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
    "final_layer_norm": "LayerNorm",
}


def random_tensors(shapes: Shapes, seed: int) -> Tensors:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(shape, generator=generator) + 0.01 for name, shape in shapes.items()}


def fair_esm_file(tensors: Tensors, *, heads: int | None) -> dict[str, Any]:
    """The published fair-esm file: options as a Namespace, a body and a language-model head under two prefixes."""
    body = {f"encoder.sentence_encoder.{name}": tensor for name, tensor in tensors.items()}
    body["encoder.lm_head.weight"] = body["encoder.sentence_encoder.embed_tokens.weight"]
    body["encoder.lm_head.bias"] = torch.zeros(33)
    options = Namespace(encoder_attention_heads=heads, token_dropout=True) if heads else Namespace()
    return {"cfg": {"model": options, "task": None}, "model": body}


def hugging_face_tensors(tensors: Tensors, *, prefix: str = "", one_table: bool = False) -> Tensors:
    """The names of transformers: with tables a layer and positions (up to 4), or with `one_table` (from 5 on)."""
    renamed: Tensors = {}
    for name, tensor in tensors.items():
        if name.startswith("layers."):
            _, number, rest = name.split(".", 2)
            if rest == FREQUENCIES and one_table:
                renamed["rotary_embeddings.inv_freq"] = tensor
                continue
            part, ending = rest.rsplit(".", 1)
            name = f"encoder.layer.{number}.{_HUGGING_FACE[part]}.{ending}"
        elif name == "embed_tokens.weight":
            name = "embeddings.word_embeddings.weight"
        else:
            name = f"encoder.{name}"
        renamed[name] = tensor
    if not one_table:
        renamed["embeddings.position_ids"] = torch.arange(1026)[None]
        renamed["embeddings.position_embeddings.weight"] = torch.zeros(1026, 2)
    return {prefix + name: tensor.clone() for name, tensor in renamed.items()}


def masked_lm(tensors: Tensors, width: int) -> Tensors:
    """DNABERT-S as the masked language model saves it: a prefix, no pooler, and `cls.*`."""
    extra = {"cls.predictions.decoder.weight": torch.zeros(4, width), "cls.predictions.decoder.bias": torch.zeros(4)}
    return {f"bert.{name}": tensor for name, tensor in tensors.items()} | extra


def with_pooler(tensors: Tensors, width: int) -> Tensors:
    return tensors | {"pooler.dense.weight": torch.zeros(width, width), "pooler.dense.bias": torch.zeros(width)}


def write_shards(folder: Path, tensors: Tensors, *, save: Callable[[Tensors, Path], None], name: str) -> Path:
    """Write two shards and their index, named like `name`."""
    stem, ending = name.rsplit(".", 1)
    names = sorted(tensors)
    files = {part: f"{stem}-0000{part + 1}-of-00002.{ending}" for part in (0, 1)}
    for part, file in files.items():
        save({key: tensors[key] for key in names[part::2]}, folder / file)
    index = folder / f"{name}.index.json"
    index.write_text(json.dumps({"weight_map": {key: files[place % 2] for place, key in enumerate(names)}}))
    return index


def rewrite_pickle(file: Path, change: Callable[[bytes], bytes]) -> None:
    """Replace data.pkl in a torch zip and keep all else."""
    with zipfile.ZipFile(file) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in records.items():
            archive.writestr(name, change(content) if name.endswith("data.pkl") else content)


def move_to_cuda(pickled: bytes) -> bytes:
    """Change a pickle of CPU tensors so that it places them on a GPU."""
    moved = pickled.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    assert moved != pickled
    return moved


class Runs:
    """Is pickled as a call of a function."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


def hostile_pickles(marker: Path) -> dict[str, Any]:
    """Objects that write `marker` when they are unpickled by an unsafe unpickler."""
    touch = f"touch {marker}"
    code = f"open({str(marker)!r}, 'w')"
    nested = io.BytesIO()
    pickle.dump(Runs(os.system, touch), nested)
    return {
        "os.system": Runs(os.system, touch),
        "builtins.eval": Runs(eval, code),
        "builtins.exec": Runs(exec, code),
        "builtins.getattr": Runs(getattr, "text", "upper"),
        "open": Runs(open, str(marker), "w"),
        "Path.touch": Runs(Path.touch, Path(marker)),
        "pickle.loads": Runs(pickle.loads, nested.getvalue()),
        "torch.load": Runs(torch.load, str(marker)),
        "torch.storage": Runs(torch.storage._load_from_bytes, nested.getvalue()),
        "beside true tensors": {"hidden_layer.weight": torch.zeros(2, 2), "note": Runs(os.system, touch)},
    }
