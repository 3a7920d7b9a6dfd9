from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from virnucpro_tasks.embed.esm2 import Esm2
from virnucpro_tasks.embed.weights import read_sizes
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.sizes import Esm2Sizes

NAME = "layers.1.fc2.weight"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tensors: tensors.pop(NAME), f"tensor '{NAME}' is missing"),
        (lambda tensors: tensors.update({NAME: torch.zeros(3, 4)}), rf"'{NAME}' has shape \(3, 4\), not \(32, 128\)"),
        (lambda tensors: tensors.update({"lm_head.bias": torch.zeros(33)}), "'lm_head.bias' is not part of this model"),
    ],
)
def test_a_wrong_tensor_is_named(esm2_directory, change, reason):
    file = esm2_directory / "model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    with pytest.raises(BundleError, match=reason) as caught:
        Esm2.load(esm2_directory, device="cpu", dtype=torch.float32)
    assert caught.value.path == file


@pytest.mark.parametrize("content", [None, b"", b"\x08\x00\x00\x00\x00\x00\x00\x00notjson!"])
def test_a_missing_or_damaged_file_is_named(esm2_directory, content):
    file = esm2_directory / "model.safetensors"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.safetensors"):
        Esm2.load(esm2_directory, device="cpu", dtype=torch.float32)


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", '{"layers": 2, "heads": 4}', '{"layers": 2, "heads": 4, "width": true}'),
        *('{"layers": 2, "heads": 4, "width": 0}', '{"layers": 2, "heads": 4, "width": 8, "depth": 2}'),
    ],
)
def test_a_wrong_config_is_named(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(BundleError, match=r"config\.json"):
        read_sizes(tmp_path, Esm2Sizes)


def test_sizes_are_read(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"width": 8, "layers": 2, "heads": 4}))
    assert read_sizes(tmp_path, Esm2Sizes) == Esm2Sizes(layers=2, width=8, heads=4)
