"""Small random models in the layouts of the published ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from models.layouts import DNABERT_S, ESM2, FREQUENCIES, HEAD, Tensors, fair_esm_file, random_tensors

from virnucpro_tasks.errors import BundleError, printable

TOKENIZER_SEQUENCES = ["ACGTTGCAACGGATTACA" * 5, "GATTACAGATTACCA" * 6]


@pytest.fixture
def refused() -> Callable[..., BundleError]:
    """`refused(path, call, ...)` checks that the call raises BundleError naming `path`, with a hint."""

    def check(path: Path, call: Callable, *arguments: object, **options: object) -> BundleError:
        with pytest.raises(BundleError) as caught:
            call(*arguments, **options)
        assert str(caught.value).startswith(f"{printable(str(path))}: ")
        assert caught.value.hint
        return caught.value

    return check


@pytest.fixture
def esm2_tensors() -> Tensors:
    frequencies = random_tensors({"all": (4,)}, 4)["all"]
    return random_tensors(ESM2.shapes(), 1) | {
        f"layers.{number}.{FREQUENCIES}": frequencies.clone() for number in range(ESM2.layers)
    }


@pytest.fixture
def dnabert_tensors() -> Tensors:
    return random_tensors(DNABERT_S.shapes(), 2)


@pytest.fixture
def head_tensors() -> Tensors:
    return random_tensors(HEAD.shapes(), 3) | {"bn1.num_batches_tracked": torch.tensor(7)}


@pytest.fixture
def dnabert_folder(tmp_path: Path, dnabert_tensors: Tensors) -> Path:
    """A folder as published: pytorch_model.bin, config.json, and a tokenizer.json with padding left in it."""
    from virnucpro_tasks.models.demo import train_tokenizer

    folder = tmp_path / "DNABERT-S"
    folder.mkdir()
    torch.save(dnabert_tensors, folder / "pytorch_model.bin")
    (folder / "config.json").write_text('{"num_attention_heads": 4}')
    tokenizer = train_tokenizer(TOKENIZER_SEQUENCES, vocabulary=40)
    tokenizer.enable_padding(length=2000)
    tokenizer.enable_truncation(2000)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def esm2_file(tmp_path: Path, esm2_tensors: Tensors) -> Path:
    file = tmp_path / "esm2.pt"
    torch.save(fair_esm_file(esm2_tensors, heads=ESM2.heads), file)
    return file


@pytest.fixture
def head_file(tmp_path: Path, head_tensors: Tensors) -> Path:
    file = tmp_path / "500_model.pth"
    torch.save(head_tensors, file)
    return file
