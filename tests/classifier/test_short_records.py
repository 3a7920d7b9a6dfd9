"""Heads whose short records are scored by their nucleotide vectors alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from classifier.bundles import bundle_of

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.classifier.head_files import read_record_score
from virnucpro_tasks.classifier.short_records import ShortRecordsHead
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.sizes import SHORT_KIND, SHORT_PREFIX, HeadSizes
from virnucpro_tasks.pipeline.score import frame_scores, shard_scores
from virnucpro_tasks.reference.head import ReferenceHead
from virnucpro_tasks.shards.vectors import NO_VECTOR, ShardVectors

NUCLEOTIDE, PROTEIN, HIDDEN, SHORT_HIDDEN, BELOW = 6, 9, 5, 3, 300


def made(sizes: HeadSizes, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tensors = {name: torch.randn(shape, generator=generator) for name, shape in sizes.shapes().items()}
    return tensors | {"bn1.running_var": tensors["bn1.running_var"].abs() + 0.1}


def all_tensors(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    whole = made(HeadSizes(width=NUCLEOTIDE + PROTEIN, hidden=HIDDEN), 1)
    short = made(HeadSizes(width=NUCLEOTIDE, hidden=SHORT_HIDDEN), 2)
    return whole | {SHORT_PREFIX + name: value for name, value in (short | changed).items()}


def short_bundle(folder: Path, tensors: dict[str, torch.Tensor] | None = None, **changed: Any) -> Bundle:
    stated = {"kind": SHORT_KIND, "hidden": HIDDEN, "short_hidden": SHORT_HIDDEN, "nucleotides_below": BELOW} | changed
    return bundle_of(folder, tensors or all_tensors(), NUCLEOTIDE, PROTEIN, **stated)


@pytest.fixture
def vectors() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    return tuple(random.standard_normal((40, width)).astype(np.float32) for width in (NUCLEOTIDE, PROTEIN))


def test_the_length_of_the_record_decides_which_part_scores(tmp_path: Path, vectors: tuple[np.ndarray, ...]) -> None:
    bundle = short_bundle(tmp_path)
    head = load_head(bundle)
    assert isinstance(head, ShortRecordsHead)
    lengths = np.resize([BELOW - 1, BELOW, 150, 5_000], 40)
    scores = head.scores_by_length(*vectors, lengths)
    tensors = [torch.from_numpy(part) for part in vectors]
    below, short = ReferenceHead.load_short(bundle.path / "head") or (0, None)
    assert short is not None and below == BELOW
    alone = short.scores(tensors[0], tensors[1][:, :0]).numpy()
    both = ReferenceHead.load(bundle.path / "head").scores(*tensors).numpy()
    is_short = lengths < BELOW
    np.testing.assert_allclose(scores[is_short], alone[is_short], atol=1e-6)
    np.testing.assert_allclose(scores[~is_short], both[~is_short], atol=1e-6)
    np.testing.assert_array_equal(head.scores(*vectors)[~is_short], scores[~is_short])
    assert "records shorter than 300 bases by nucleotides alone" in read_record_score(bundle).formula


def test_a_score_does_not_depend_on_its_neighbours_nor_a_short_one_on_its_protein(
    tmp_path: Path, vectors: tuple[np.ndarray, ...]
) -> None:
    head = load_head(short_bundle(tmp_path))
    assert isinstance(head, ShortRecordsHead)
    nucleotide, protein = vectors
    lengths = np.resize([200, 400, 299], 40)
    whole = head.scores_by_length(nucleotide, protein, lengths)
    order = np.random.default_rng(4).permutation(40)[:17]
    some = head.scores_by_length(nucleotide[order], protein[order], lengths[order])
    np.testing.assert_array_equal(some, whole[order])
    changed = head.scores_by_length(nucleotide, protein + 1, lengths)
    np.testing.assert_array_equal((changed == whole).all(axis=1), lengths < BELOW)


def test_frames_of_a_shard_are_scored_by_the_lengths_of_their_records(
    tmp_path: Path, vectors: tuple[np.ndarray, ...]
) -> None:
    head = load_head(short_bundle(tmp_path))
    assert isinstance(head, ShortRecordsHead)
    rows = np.array([3, 1, NO_VECTOR, 3, 0], np.int32)
    shard = ShardVectors(*vectors, rows, rows)
    lengths = np.array([200, 400, 200, 400, 250])
    scores = shard_scores(head, shard, lambda: lengths).scores
    expected = head.scores_by_length(vectors[0][rows], vectors[1][rows], lengths)
    np.testing.assert_array_equal(scores[[0, 1, 3, 4]], expected[[0, 1, 3, 4]])
    assert not scores[2].any()
    # The same vectors, of a short record and of a long one.
    assert (scores[0] != scores[3]).any()
    with pytest.raises(ValueError, match="by the lengths of their records"):
        frame_scores(head, shard)
    with pytest.raises(ValueError, match="for 40 frames"):
        head.scores_by_length(*vectors, lengths)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"nucleotides_below": None}, "nucleotides_below"),
        ({"nucleotides_below": 0}, "nucleotides_below"),
        ({"short_hidden": 4}, "short_hidden is 4 in config.json, the tensors have 3"),
        ({"hidden": 4}, "hidden is 4 in config.json, the tensors have 5"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        load_head(short_bundle(tmp_path, **changed))


def test_another_kind_states_no_length(tmp_path: Path) -> None:
    whole = made(HeadSizes(width=NUCLEOTIDE + PROTEIN, hidden=HIDDEN), 1)
    with pytest.raises(BundleError, match="states nucleotides_below, and no other does"):
        load_head(bundle_of(tmp_path, whole, NUCLEOTIDE, PROTEIN, hidden=HIDDEN, nucleotides_below=BELOW))


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.randn(SHORT_HIDDEN, NUCLEOTIDE + 1), r"short_records\.hidden_layer\.weight: expected shape \(3, 6\)"),
        (torch.full((SHORT_HIDDEN, NUCLEOTIDE), torch.nan), r"short_records\.hidden_layer\.weight holds a value"),
    ],
)
def test_tensors_of_the_part_are_checked(tmp_path: Path, tensor: torch.Tensor, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        load_head(short_bundle(tmp_path, all_tensors(**{"hidden_layer.weight": tensor})))


def test_a_head_without_the_part_is_refused(tmp_path: Path) -> None:
    whole = made(HeadSizes(width=NUCLEOTIDE + PROTEIN, hidden=HIDDEN), 1)
    with pytest.raises(BundleError, match=r"short_records\.hidden_layer\.weight: expected shape .* found no tensor"):
        load_head(short_bundle(tmp_path, whole))
