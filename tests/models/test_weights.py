from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from models.layouts import Tensors, write_shards
from safetensors.torch import save_file

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.weights import read_weights, weight_file

TENSORS = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.arange(3.0), "b": torch.ones(5).half()}
SAVERS: dict[str, Callable[[Tensors, Path], None]] = {
    "model.safetensors": save_file,
    "pytorch_model.bin": torch.save,
    "legacy.bin": lambda tensors, file: torch.save(tensors, file, _use_new_zipfile_serialization=False),
}


def same(found: Tensors, expected: Tensors) -> bool:
    return set(found) == set(expected) and all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("name", SAVERS)
def test_every_kind_of_file_and_the_heads_beside_it(name: str, tmp_path: Path) -> None:
    SAVERS[name](TENSORS, tmp_path / name)
    assert read_weights(tmp_path / name).heads is None
    (tmp_path / "config.json").write_text('{"num_attention_heads": 7}')
    weights = read_weights(tmp_path / name)
    assert same(weights.tensors, TENSORS)
    assert (weights.path, weights.heads) == (tmp_path / name, 7)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_shards_by_their_index_and_by_their_folder(name: str, tmp_path: Path) -> None:
    index = write_shards(tmp_path, TENSORS, save=SAVERS[name], name=name)
    assert same(read_weights(index).tensors, TENSORS)
    assert same(read_weights(tmp_path).tensors, TENSORS)


def test_folder_of_fair_esm_with_its_contact_regression(tmp_path: Path) -> None:
    for name in ("esm2_t6_8M_UR50D.pt", "esm2_t6_8M_UR50D-contact-regression.pt"):
        torch.save(TENSORS, tmp_path / name)
    assert weight_file(tmp_path).name == "esm2_t6_8M_UR50D.pt"


@pytest.mark.parametrize("names", [[], ["a.pt", "b.pt"]])
def test_folder_that_does_not_say_which(names: list[str], tmp_path: Path, refused: Callable) -> None:
    for name in names:
        torch.save(TENSORS, tmp_path / name)
    assert "weight files here" in refused(tmp_path, read_weights, tmp_path).what


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 468320053\n", "git-LFS"),
        (b">read\nACGT\n", "neither"),
        (b"\x80", "cannot be read"),
        (b"PK\x03\x04 and no more", "cut off"),
        (struct.pack("<Q", 2**63) + b"{}", "damaged"),
        (struct.pack("<Q", 2**30) + b'{"a":', "damaged"),
        (struct.pack("<Q", 90_000_000) + b"{" + b" " * 1000, "damaged"),
    ],
)
def test_what_is_no_weight_file(content: bytes, message: str, tmp_path: Path, refused: Callable) -> None:
    file = tmp_path / "pytorch_model.bin"
    file.write_bytes(content)
    assert message in refused(file, read_weights, file).what


def test_absent_file(tmp_path: Path, refused: Callable) -> None:
    refused(tmp_path / "absent.pt", read_weights, tmp_path / "absent.pt")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 48]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 48]},
        {"dtype": "F32", "shape": [12], "data_offsets": [0, 2**62]},
        {"dtype": "F32", "shape": [12], "data_offsets": [48, 0]},
        {"dtype": "F99", "shape": [12], "data_offsets": [0, 48]},
        {"dtype": "C64", "shape": [6], "data_offsets": [0, 48]},
        {"dtype": "F8_E4M3", "shape": [48], "data_offsets": [0, 48]},
        {"dtype": "F8_E8M0", "shape": [48], "data_offsets": [0, 48]},
        {"dtype": "F4", "shape": [96], "data_offsets": [0, 48]},
        "text",
    ],
    ids=str,
)
def test_safetensors_that_claim_what_cannot_be(entry: object, tmp_path: Path, refused: Callable) -> None:
    header = json.dumps({"x": entry}).encode()
    file = tmp_path / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 48)
    refused(file, read_weights, file)


@pytest.mark.parametrize("name", SAVERS)
def test_cut_off_anywhere(name: str, tmp_path: Path) -> None:
    """BundleError at every length; never tensors, never another error."""
    file = tmp_path / name
    SAVERS[name](TENSORS, file)
    content = file.read_bytes()
    for length in range(0, len(content), 1 if len(content) < 1000 else 7):
        file.write_bytes(content[:length])
        with pytest.raises(BundleError) as caught:
            read_weights(file)
        assert caught.value.path == file
        assert caught.value.hint


@pytest.mark.parametrize("name", ["pytorch_model.bin", "legacy.bin"])
def test_one_number_does_not_stand_for_a_matrix(name: str, tmp_path: Path, refused: Callable) -> None:
    SAVERS[name]({"a": torch.zeros(1).expand(2**20, 2**20)}, tmp_path / name)
    assert "unfold to" in refused(tmp_path / name, read_weights, tmp_path / name).what


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(4).to_sparse(),
        torch.empty(4, device="meta"),
        torch.zeros(4, dtype=torch.complex64),
        torch.zeros(4).to(torch.float8_e4m3fn),
        torch._neg_view(torch.ones(4)),
    ],
    ids=["sparse", "meta", "complex", "float8", "negated view"],
)
def test_no_ordinary_tensor(tensor: torch.Tensor, tmp_path: Path, refused: Callable) -> None:
    torch.save({"a": tensor}, tmp_path / "x.pt")
    assert "no ordinary tensor" in refused(tmp_path / "x.pt", read_weights, tmp_path / "x.pt").what


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"weight_map": []},
        {"weight_map": "model.safetensors"},
        {"weight_map": {"a": 5}},
        {"weight_map": {"a": ["model.safetensors"]}},
        {"weight_map": {"a": None, "b": "model.safetensors"}},
        {"weight_map": {"a": ""}},
        {"weight_map": {"a": "."}},
        {"weight_map": {"a": ".."}},
        {"weight_map": {"a": "../../etc/passwd"}},
        {"weight_map": {"a": "../model.safetensors"}},
        {"weight_map": {"a": "/etc/passwd"}},
        {"weight_map": {"a": "model.safetensors.index.json"}},
        {"weight_map": {"absent.weight": "model.safetensors"}},
    ],
    ids=str,
)
def test_index_that_points_elsewhere(content: object, tmp_path: Path, refused: Callable) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for place in (tmp_path, folder):
        save_file({"a": torch.zeros(2)}, place / "model.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps(content))
    refused(index, read_weights, index)


@pytest.mark.parametrize("name", ["absent.safetensors", "a\0b", "inner"])
def test_index_that_names_no_file(name: str, tmp_path: Path, refused: Callable) -> None:
    (tmp_path / "inner").mkdir()
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    refused(tmp_path / name, read_weights, index)


@pytest.mark.parametrize(
    "text", ["", "[]", "5", '{"num_attention_heads": "4"}', '{"num_attention_heads": true}', "[" * 9999]
)
def test_configuration_that_is_none(text: str, tmp_path: Path, refused: Callable) -> None:
    torch.save(TENSORS, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(text)
    refused(tmp_path / "config.json", read_weights, tmp_path)
