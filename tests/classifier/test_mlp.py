from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from classifier.bundles import bundle_of

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.classifier.mlp import BLOCK_ROWS, MlpHead
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.bundle import Bundle

NUCLEOTIDE, PROTEIN, HIDDEN = 768, 2560, 512
PUBLISHED_SHAPES = {
    "hidden_layer.weight": (HIDDEN, NUCLEOTIDE + PROTEIN),
    "hidden_layer.bias": (HIDDEN,),
    "bn1.weight": (HIDDEN,),
    "bn1.bias": (HIDDEN,),
    "bn1.running_mean": (HIDDEN,),
    "bn1.running_var": (HIDDEN,),
    "bn1.num_batches_tracked": (),
    "output_layer.weight": (2, HIDDEN),
    "output_layer.bias": (2,),
}


class MLPClassifier(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden_layer = torch.nn.Linear(NUCLEOTIDE + PROTEIN, HIDDEN)
        self.bn1 = torch.nn.BatchNorm1d(HIDDEN)
        self.dropout = torch.nn.Dropout(0.5)
        self.output_layer = torch.nn.Linear(HIDDEN, 2)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        hidden = self.dropout(torch.relu(self.bn1(self.hidden_layer(vectors))))
        return torch.softmax(self.output_layer(hidden), dim=1)


@pytest.fixture(scope="module")
def model() -> MLPClassifier:
    torch.manual_seed(0)
    model = MLPClassifier()
    torch.nn.init.normal_(model.bn1.weight, 1, 0.2)
    torch.nn.init.normal_(model.bn1.bias, 0, 0.2)
    torch.nn.init.normal_(model.bn1.running_mean, 0, 0.3)
    torch.nn.init.uniform_(model.bn1.running_var, 0.2, 2)
    return model.eval()


def load_mlp(bundle: Bundle) -> MlpHead:
    head = load_head(bundle)
    assert isinstance(head, MlpHead)
    return head


@pytest.fixture(scope="module")
def head(model: MLPClassifier, tmp_path_factory: pytest.TempPathFactory) -> MlpHead:
    return load_mlp(bundle_of(tmp_path_factory.mktemp("bundle"), model.state_dict(), NUCLEOTIDE, PROTEIN))


@pytest.fixture(scope="module")
def vectors() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    count = 2 * BLOCK_ROWS + 37
    shape = ((count, NUCLEOTIDE), (count, PROTEIN))
    return tuple(random.standard_normal(size, dtype=np.float32) for size in shape)  # type: ignore[return-value]


def test_published_shapes(model: MLPClassifier) -> None:
    assert {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()} == PUBLISHED_SHAPES


def test_equals_torch(model: MLPClassifier, head: MlpHead, vectors: tuple[np.ndarray, np.ndarray]) -> None:
    with torch.no_grad():
        expected = model(torch.from_numpy(np.concatenate(vectors, axis=1))).numpy()
    scores = head.scores(*vectors)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-6, rtol=0)
    assert scores[:, 1].std() > 0.01


@pytest.mark.parametrize("count", [0, 1, 2, 7, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1])
def test_a_row_does_not_depend_on_how_many_there_are(
    head: MlpHead, vectors: tuple[np.ndarray, np.ndarray], count: int
) -> None:
    nucleotide, protein = vectors
    whole = head.scores(nucleotide, protein)
    np.testing.assert_array_equal(head.scores(nucleotide[:count], protein[:count]), whole[:count])


@pytest.mark.parametrize("shift", [1, 3, 8, 17, 100, BLOCK_ROWS])
def test_a_row_does_not_depend_on_its_place(head: MlpHead, vectors: tuple[np.ndarray, np.ndarray], shift: int) -> None:
    nucleotide, protein = vectors
    whole = head.scores(nucleotide, protein)
    moved = head.scores(np.roll(nucleotide, shift, axis=0), np.roll(protein, shift, axis=0))
    np.testing.assert_array_equal(np.roll(moved, -shift, axis=0), whole)


def test_every_place_of_a_block_gives_one_row_the_same_scores(
    head: MlpHead, vectors: tuple[np.ndarray, np.ndarray]
) -> None:
    nucleotide, protein = (np.repeat(part[:1], BLOCK_ROWS, axis=0) for part in vectors)
    scores = head.scores(nucleotide, protein)
    np.testing.assert_array_equal(scores, np.repeat(scores[:1], BLOCK_ROWS, axis=0))


def test_what_is_filled_up_leaves_no_trace(head: MlpHead, vectors: tuple[np.ndarray, np.ndarray]) -> None:
    nucleotide, protein = vectors
    odd = np.full((BLOCK_ROWS, NUCLEOTIDE), np.nan, np.float32)
    odd_protein = np.full((BLOCK_ROWS, PROTEIN), np.nan, np.float32)
    scores = head.scores(np.concatenate([odd, nucleotide[:5]]), np.concatenate([odd_protein, protein[:5]]))
    np.testing.assert_array_equal(scores[BLOCK_ROWS:], head.scores(nucleotide[:5], protein[:5]))


def test_vectors_of_another_width(head: MlpHead) -> None:
    with pytest.raises(ValueError, match="768"):
        head.scores(np.zeros((2, NUCLEOTIDE - 1), np.float32), np.zeros((2, PROTEIN), np.float32))
    with pytest.raises(ValueError, match="2560"):
        head.scores(np.zeros((2, NUCLEOTIDE), np.float32), np.zeros((3, PROTEIN), np.float32))


def test_head_of_other_widths_is_refused(model: MLPClassifier, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"takes 3328 = 768 \+ 2560: it fits ESM-2 t36_3B; .* your ESM-2 320"):
        load_head(bundle_of(tmp_path, model.state_dict(), NUCLEOTIDE, 320))


def test_head_of_a_width_that_nothing_has(model: MLPClassifier, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"takes 3328 = 770 \+ 2558; your DNABERT-S is 770 wide"):
        load_head(bundle_of(tmp_path, model.state_dict(), 770, 320))


def test_head_of_other_hidden_units_is_refused(model: MLPClassifier, tmp_path: Path) -> None:
    state = model.state_dict() | {"hidden_layer.bias": torch.zeros(HIDDEN + 1)}
    with pytest.raises(BundleError, match=r"hidden_layer\.weight: expected shape"):
        load_head(bundle_of(tmp_path, state, NUCLEOTIDE, PROTEIN))


@pytest.mark.parametrize(
    ("name", "value"), [("output_layer.bias", float("nan")), ("bn1.weight", float("inf")), ("bn1.running_var", -1.0)]
)
def test_a_head_whose_scores_would_be_no_numbers_is_refused(
    name: str, value: float, model: MLPClassifier, tmp_path: Path
) -> None:
    wrong = model.state_dict()[name].clone()
    wrong[1] = value
    with pytest.raises(BundleError, match=f"{name} holds a value that is not finite, or a negative variance"):
        load_head(bundle_of(tmp_path, model.state_dict() | {name: wrong}, NUCLEOTIDE, PROTEIN))
