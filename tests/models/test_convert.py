from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from models.layouts import DNABERT_S, ESM2, HEAD, Tensors, hugging_face_tensors, masked_lm, random_tensors, write_shards
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from virnucpro_tasks.errors import BundleError, OutputError
from virnucpro_tasks.models import convert
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.convert import convert_bundle
from virnucpro_tasks.models.sizes import HeadSizes
from virnucpro_tasks.models.verification import verify_bundle


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out" / "bundle"


@pytest.fixture
def make(dnabert_folder: Path, esm2_file: Path, head_file: Path, output: Path) -> Callable[..., Bundle]:
    """Convert the small models; options replace the default arguments."""

    def call(**options: Any) -> Bundle:
        given = {"dnabert": dnabert_folder, "esm2": esm2_file, "head": head_file, "output": output, "name": "small"}
        return convert_bundle(**(given | {"chunk_length": 500, "precision": "fp16"} | options))

    return call


def part(bundle: Bundle, name: str) -> Tensors:
    return load_file(bundle.path / name / "model.safetensors")


def same(found: Tensors, expected: Tensors) -> bool:
    return set(found) == set(expected) and all(torch.equal(found[name], value) for name, value in expected.items())


def nothing_written(output: Path) -> bool:
    return not output.parent.exists() or list(output.parent.iterdir()) == []


def test_a_bundle_holds_every_number_and_says_where_it_is_from(
    make: Callable[..., Bundle], esm2_tensors: Tensors, dnabert_tensors: Tensors, head_tensors: Tensors
) -> None:
    bundle = make(licences={"esm2": "MIT"})
    verify_bundle(bundle)
    assert same(part(bundle, "esm2"), esm2_tensors)
    assert same(part(bundle, "dnabert-s"), dnabert_tensors)
    assert same(part(bundle, "head"), head_tensors)
    description = bundle.description
    assert (description.name, description.head, description.demonstration) == ("small", "500_model.pth", False)
    assert (description.nucleotide_width, description.protein_width) == (DNABERT_S.width, ESM2.width)
    assert (description.chunk_length, description.precision) == (500, "fp16")
    assert description.licences == {"dnabert-s": "not stated", "esm2": "MIT", "head": "not stated"}
    assert json.loads((bundle.path / "esm2/config.json").read_text()) == {"layers": 2, "width": 24, "heads": 3}
    assert json.loads((bundle.path / "dnabert-s/tokenizer.json").read_text())["padding"] is None


def test_equal_sources_make_equal_files_whatever_their_layout(
    make: Callable[..., Bundle], tmp_path: Path, esm2_tensors: Tensors, dnabert_tensors: Tensors, head_tensors: Tensors
) -> None:
    folder = tmp_path / "hugging-face"
    folder.mkdir()
    theirs = hugging_face_tensors(esm2_tensors, prefix="esm.", one_table=True)
    index = write_shards(folder, theirs, save=save_file, name="model.safetensors")
    dnabert = Path(shutil.copytree(tmp_path / "DNABERT-S", tmp_path / "masked-lm"))
    torch.save(masked_lm(dnabert_tensors, DNABERT_S.width), dnabert / "pytorch_model.bin")
    head = tmp_path / "parallel" / "500_model.pth"
    head.parent.mkdir()
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in head_tensors.items()}}, head)
    first = make()
    second = make(dnabert=dnabert, esm2=index, head=head, output=tmp_path / "again")
    assert first.digest == second.digest


@pytest.mark.parametrize("source", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("dtype", "stored"), [("fp32", torch.float32), ("fp16", torch.float16)])
def test_number_types(
    source: torch.dtype, dtype: str, stored: torch.dtype, make: Callable[..., Bundle], tmp_path: Path,
    esm2_tensors: Tensors, head_tensors: Tensors,
) -> None:  # fmt: skip
    low = {name: tensor.to(source) for name, tensor in esm2_tensors.items()}
    torch.save(low, tmp_path / "low.pt")
    torch.save(
        {name: tensor.to(source) if tensor.ndim else tensor for name, tensor in head_tensors.items()},
        tmp_path / "head.pth",
    )
    bundle = make(esm2=tmp_path / "low.pt", head=tmp_path / "head.pth", dtype=dtype)
    found = part(bundle, "esm2")
    for name, tensor in low.items():
        expected = torch.float32 if name.endswith("inv_freq") else stored
        assert found[name].dtype == expected
        assert torch.equal(found[name], tensor.to(expected))
    assert {tensor.dtype for tensor in part(bundle, "dnabert-s").values()} == {stored}
    assert {tensor.dtype for tensor in part(bundle, "head").values()} == {torch.float32, torch.int64}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("kind", ["esm2", "dnabert", "head"])
def test_numbers_that_are_not_finite(
    kind: str, value: float, make: Callable[..., Bundle], tmp_path: Path, output: Path, refused: Callable,
    esm2_tensors: Tensors, dnabert_tensors: Tensors, head_tensors: Tensors,
) -> None:  # fmt: skip
    tensors = {"esm2": esm2_tensors, "dnabert": dnabert_tensors, "head": head_tensors}[kind]
    file = {"esm2": tmp_path / "esm2.pt", "dnabert": tmp_path / "DNABERT-S", "head": tmp_path / "500_model.pth"}[kind]
    name = next(name for name in tensors if name.endswith("bias"))
    tensors[name][-1] = value
    torch.save(tensors, file / "pytorch_model.bin" if file.is_dir() else file)
    assert name in refused(file, make).what
    assert nothing_written(output)


def test_too_large_for_half_precision(
    make: Callable[..., Bundle], tmp_path: Path, esm2_tensors: Tensors, refused: Callable
) -> None:
    esm2_tensors["emb_layer_norm_after.bias"][0] = 1e5
    torch.save(esm2_tensors, tmp_path / "esm2.pt")
    assert "fp32" in refused(tmp_path / "esm2.pt", make, dtype="fp16").hint
    make(dtype="fp32")


def test_whole_numbers_for_weights(
    make: Callable[..., Bundle], tmp_path: Path, esm2_tensors: Tensors, refused: Callable
) -> None:
    esm2_tensors["layers.0.fc1.weight"] = esm2_tensors["layers.0.fc1.weight"].to(torch.int8)
    torch.save(esm2_tensors, tmp_path / "esm2.pt")
    assert "quantised" in refused(tmp_path / "esm2.pt", make).hint


def test_tied_and_sliced_tensors_are_written_apart(
    make: Callable[..., Bundle], tmp_path: Path, esm2_tensors: Tensors
) -> None:
    query = "layers.0.self_attn.q_proj.weight"
    esm2_tensors["layers.0.self_attn.k_proj.weight"] = esm2_tensors[query]
    esm2_tensors["layers.1.self_attn.k_proj.weight"] = esm2_tensors[query].T
    torch.save(esm2_tensors, tmp_path / "esm2.pt")
    assert same(part(make(), "esm2"), esm2_tensors)


@pytest.mark.parametrize(("wanted", "name"), [(320, "t6_8M"), (1280, "t33_650M"), (2560, "t36_3B"), (5120, "t48_15B")])
def test_head_of_another_esm2_says_which(
    wanted: int, name: str, make: Callable[..., Bundle], head_file: Path, output: Path, refused: Callable
) -> None:
    torch.save(random_tensors(HeadSizes(DNABERT_S.width + wanted, 6).shapes(), 1), head_file)
    error = refused(head_file, make)
    assert f"it fits ESM-2 {name}" in error.what
    assert name in error.hint
    assert nothing_written(output)


@pytest.mark.parametrize("width", [DNABERT_S.width - 1, HEAD.width + 1])
def test_head_that_fits_no_published_esm2(
    width: int, make: Callable[..., Bundle], head_file: Path, refused: Callable
) -> None:
    torch.save(random_tensors(HeadSizes(width, 6).shapes(), 1), head_file)
    error = refused(head_file, make)
    assert f"takes {width}" in error.what
    assert "fits" not in error.what


@pytest.mark.parametrize("place", ["", "head", "head/model.safetensors"])
def test_the_chunk_length_of_a_head_from_a_bundle_is_that_of_the_bundle(
    place: str, make: Callable[..., Bundle], tmp_path: Path
) -> None:
    head = make(chunk_length=500).path / place
    again = make(head=head, chunk_length=None, output=tmp_path / "again")
    assert again.description.chunk_length == 500
    with pytest.raises(BundleError, match="by its bundle this head was trained on chunks of 500 bases, not 300"):
        make(head=head, chunk_length=300, output=tmp_path / "other")


def test_head_named_for_another_chunk_length(make: Callable[..., Bundle], head_file: Path, refused: Callable) -> None:
    assert "chunks of 500 bases, not 300" in refused(head_file, make, chunk_length=300).what


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "fp8"},
        {"dtype": "bf16"},
        {"chunk_length": 0},
        {"chunk_length": 10**9},
        {"name": ""},
        {"name": "two\nlines"},
        {"name": "\x1b[31m"},
        {"licences": {"esm2": "a\tb"}},
        {"licences": {"esm3": "MIT"}},
    ],
    ids=str,
)
def test_options_out_of_range(options: dict, make: Callable[..., Bundle], output: Path) -> None:
    with pytest.raises(BundleError):
        make(**options)
    assert nothing_written(output)


def test_existing_output_is_left_alone(make: Callable[..., Bundle], output: Path) -> None:
    output.mkdir(parents=True)
    with pytest.raises(OutputError, match="exists already"):
        make()
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["describe_bundle", "save_file"])
def test_a_conversion_that_is_cut_short_leaves_nothing(
    step: str, error: BaseException, make: Callable[..., Bundle], output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        assert not output.exists()
        raise error

    monkeypatch.setattr(convert, step, fail)
    with pytest.raises(type(error)):
        make()
    assert nothing_written(output)


def test_a_full_disk_is_told(make: Callable[..., Bundle], output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr(convert, "save_file", fail)
    with pytest.raises(OutputError, match="No space left"):
        make()
    assert nothing_written(output)
