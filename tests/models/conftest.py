"""Small random models, in the layouts in which the true ones are published."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from virnucpro_tasks.models.sizes import DnabertSizes, Esm2Sizes, HeadSizes, Shapes

ESM2 = Esm2Sizes(layers=2, width=24, heads=3)
DNABERT_S = DnabertSizes(layers=2, width=24, heads=4, feed_forward=48, vocabulary=64)
HEAD = HeadSizes(width=ESM2.width + DNABERT_S.width, hidden=6)
TOKENIZER_SEQUENCES = ["ACGTTGCAACGGATTACA" * 5, "GATTACAGATTACCA" * 6]


def random_tensors(shapes: Shapes, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(shape, generator=generator) + 0.01 for name, shape in shapes.items()}


class MLPClassifier(torch.nn.Module):
    """The published classifier as it was trained."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden_layer = torch.nn.Linear(width, hidden)
        self.bn1 = torch.nn.BatchNorm1d(hidden)
        self.dropout = torch.nn.Dropout(0.5)
        self.output_layer = torch.nn.Linear(hidden, 2)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        hidden = self.dropout(torch.relu(self.bn1(self.hidden_layer(vectors))))
        return torch.softmax(self.output_layer(hidden), dim=1)


@pytest.fixture
def classifier(monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """A classifier whose class pickles as `__main__.MLPClassifier`, as in the published files."""
    monkeypatch.setattr(MLPClassifier, "__module__", "__main__")
    monkeypatch.setattr(MLPClassifier, "__qualname__", "MLPClassifier")
    monkeypatch.setattr("__main__.MLPClassifier", MLPClassifier, raising=False)
    model = MLPClassifier(HEAD.width, HEAD.hidden)
    state = random_tensors(HEAD.shapes(), 3) | {"bn1.num_batches_tracked": torch.tensor(7)}
    model.load_state_dict(state)
    return model.eval()


@pytest.fixture
def esm2_tensors() -> dict[str, torch.Tensor]:
    return random_tensors(ESM2.shapes() | ESM2.frequency_shapes(), 1)


@pytest.fixture
def dnabert_tensors() -> dict[str, torch.Tensor]:
    return random_tensors(DNABERT_S.shapes(), 2)


@pytest.fixture
def dnabert_folder(tmp_path: Path, dnabert_tensors: dict[str, torch.Tensor]) -> Path:
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
