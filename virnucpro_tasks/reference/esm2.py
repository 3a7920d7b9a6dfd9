"""ESM-2 as fair-esm and as Hugging Face's transformers compute it, in FP32, one protein at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from virnucpro_tasks.errors import BackendError, BundleError
from virnucpro_tasks.reference.tensors import read_fp32, read_sizes

CLS, PAD, EOS, MASK = 0, 1, 2, 32
VOCABULARY = 33
MOST_POOLED_RESIDUES = 1_024
"""The original averages over the first so many residues, whatever it computes."""

_HUGGING_FACE = {
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "self_attn_layer_norm": "attention.LayerNorm",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
    "final_layer_norm": "LayerNorm",
}
_LAYER = re.compile(r"layers\.([0-9]+)\.(.+)\.(weight|bias)")
_NOT_IN_BUNDLES = ("lm_head.", "contact_head.", "pooler.")

TokenStates = Callable[[Tensor], Tensor]
"""Takes token ids (1, T) and gives the states of the last layer after its norm, (T, width)."""


class ReferenceEsm2:
    """Vectors of proteins by `states`, which one of the libraries computes on `device`."""

    def __init__(self, states: TokenStates, device: torch.device) -> None:
        self._states = states
        self._device = device
        self._alphabet = _fair_esm().data.Alphabet.from_architecture("ESM-1b")

    @torch.inference_mode()
    def vector(self, protein: str, *, longest: int | None = None) -> Tensor:
        """The mean over the residues of a protein (its first `longest`, if given), (width,) FP32.

        No more than MOST_POOLED_RESIDUES enter the mean.
        """
        letters = self._alphabet.encode(protein[:longest])
        ids = torch.tensor([[CLS, *letters, EOS]], device=self._device)
        states: Tensor = self._states(ids)
        return states[1 : min(len(letters), MOST_POOLED_RESIDUES) + 1].mean(dim=0)


def fair_esm2(folder: Path, device: torch.device) -> ReferenceEsm2:
    """The ESM-2 in `folder` as fair-esm computes it. Raises BundleError if its tensors are not those of this model."""
    esm2 = _fair_esm().model.esm2
    sizes, tensors = read_sizes(folder), read_fp32(folder, device)
    layers = sizes["layers"]
    with device:
        model = esm2.ESM2(num_layers=layers, embed_dim=sizes["width"], attention_heads=sizes["heads"])
    _fill(model, tensors, folder)
    return ReferenceEsm2(lambda ids: model(ids, repr_layers=[layers])["representations"][layers][0], device)


def hugging_face_esm2(folder: Path, device: torch.device) -> ReferenceEsm2:
    """The ESM-2 in `folder` as transformers computes it. Raises BundleError as `fair_esm2` does."""
    from transformers import EsmConfig, EsmModel

    sizes, tensors = read_sizes(folder), read_fp32(folder, device)
    frequencies = [tensors.pop(name) for name in sorted(tensors) if name.endswith("inv_freq")]
    configuration = EsmConfig(
        vocab_size=VOCABULARY,
        hidden_size=sizes["width"],
        num_hidden_layers=sizes["layers"],
        num_attention_heads=sizes["heads"],
        intermediate_size=4 * sizes["width"],
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        layer_norm_eps=1e-5,
        pad_token_id=PAD,
        mask_token_id=MASK,
    )
    with device:
        model = EsmModel(configuration, add_pooling_layer=False)
    for name, buffer in model.named_buffers():
        if name.endswith("inv_freq") and frequencies:
            buffer.copy_(frequencies[0])
    _fill(model, {_hugging_face_name(name): tensor for name, tensor in tensors.items()}, folder)
    return ReferenceEsm2(
        lambda ids: model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0], device
    )


def _fair_esm() -> Any:
    """The package of fair-esm. Raises BackendError if another one has its name."""
    esm = import_module("esm")
    if not hasattr(getattr(esm, "model", None), "esm2"):
        raise BackendError(
            "the installed package 'esm' is not that of fair-esm", hint="use an environment with fair-esm alone"
        )
    return esm


def _hugging_face_name(name: str) -> str:
    if name == "embed_tokens.weight":
        return "embeddings.word_embeddings.weight"
    if found := _LAYER.fullmatch(name):
        layer, part, kind = found.groups()
        return f"encoder.layer.{layer}.{_HUGGING_FACE[part]}.{kind}"
    return f"encoder.{name}"


def _fill(model: torch.nn.Module, tensors: dict[str, Tensor], folder: Path) -> None:
    """Load the weights. What a bundle does not have is not part of the encoder, all else must be there."""
    outcome = model.load_state_dict(tensors, strict=False)
    missing = [
        name for name in outcome.missing_keys if not name.startswith(_NOT_IN_BUNDLES) and not name.endswith("inv_freq")
    ]
    if missing or outcome.unexpected_keys:
        names = ", ".join([*missing, *outcome.unexpected_keys][:3])
        raise BundleError(f"its tensors are not those of ESM-2: {names}", path=folder, hint="convert the bundle again")
    model.requires_grad_(False).eval()
