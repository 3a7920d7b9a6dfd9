from __future__ import annotations

import json
from pathlib import Path

import esm
import pytest
import torch

from virnucpro_tasks.models.sizes import PUBLISHED_ESM2, DnabertSizes, Esm2Sizes, HeadSizes


@pytest.mark.parametrize(("layers", "width"), PUBLISHED_ESM2)
def test_esm2_has_the_names_and_shapes_of_fair_esm(layers: int, width: int) -> None:
    _, heads = PUBLISHED_ESM2[(layers, width)]
    sizes = Esm2Sizes(layers, width, heads)
    with torch.device("meta"):
        model = esm.ESM2(num_layers=layers, embed_dim=width, attention_heads=heads)
    body = {
        name: tuple(tensor.shape)
        for name, tensor in model.state_dict().items()
        if not name.startswith(("lm_head", "contact_head"))
    }
    assert sizes.shapes() | sizes.frequency_shapes() == body


def test_dnabert_s_has_the_published_names_and_shapes(shared: Path) -> None:
    published = json.loads((shared / "reference/dnabert-s/state_dict_shapes.json").read_text())
    shapes = {name: list(shape) for name, shape in DnabertSizes(12, 768, 12, 3072, 4096).shapes().items()}
    assert shapes == {name: shape for name, shape in published["shapes"].items() if not name.startswith("pooler.")}


def test_head_has_the_published_names_and_shapes() -> None:
    assert HeadSizes(3328, 512).shapes() == {
        "hidden_layer.weight": (512, 3328),
        "hidden_layer.bias": (512,),
        "bn1.weight": (512,),
        "bn1.bias": (512,),
        "bn1.running_mean": (512,),
        "bn1.running_var": (512,),
        "output_layer.weight": (2, 512),
        "output_layer.bias": (2,),
    }


def test_labels_name_the_published_sizes() -> None:
    assert Esm2Sizes(36, 2560, 40).label == "ESM-2 t36_3B"
    assert "7 layers" in Esm2Sizes(7, 64, 4).label
    assert DnabertSizes(12, 768, 12, 3072, 4096).label == "DNABERT-S"
