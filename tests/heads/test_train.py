"""Heads fitted to made-up vectors, the way from the fit to the file, and calibration."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from virnucpro_tasks.classify.head import load_head
from virnucpro_tasks.heads.bundles import HeadRequest, write_trained
from virnucpro_tasks.heads.calibration import calibrate, sigmoid
from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.labels import TEST
from virnucpro_tasks.heads.metrics import Metrics, calibration_error
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.train import HeadKind, fit_head
from virnucpro_tasks.heads.weights import frame_weights, group_weights
from virnucpro_tasks.models.bundle import CARD_FILE, ENCODER_FILES, verify_bundle
from virnucpro_tasks.models.locate import demo_bundle

Make = Callable[..., Examples]


@pytest.mark.parametrize("kind", list(HeadKind))
def test_unseen_groups_are_told_apart(make_examples: Make, kind: HeadKind) -> None:
    examples = make_examples(groups=160, distance=2.0)
    fitted = fit_head(examples, kind=kind, hidden=16, seed=1)
    test = fitted.parts[TEST]
    assert Metrics.of(fitted.scores[test], examples.virus[test]).auroc > 0.85


@pytest.mark.parametrize("kind", list(HeadKind))
def test_without_a_difference_nothing_is_learnt(make_examples: Make, kind: HeadKind) -> None:
    examples = make_examples(groups=200, distance=0)
    fitted = fit_head(examples, kind=kind, hidden=16, seed=1)
    test = fitted.parts[TEST]
    assert 0.3 < Metrics.of(fitted.scores[test], examples.virus[test]).auroc < 0.7


@pytest.mark.parametrize("kind", list(HeadKind))
def test_equal_arguments_give_equal_heads(make_examples: Make, kind: HeadKind) -> None:
    states = [fit_head(make_examples(), kind=kind, hidden=8, seed=5).head.state() for _ in range(2)]
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name])


def test_frames_count_so_that_records_and_classes_do_alike(make_examples: Make) -> None:
    examples = make_examples(groups=31, records=3)
    weights = frame_weights(examples)
    by_record = np.bincount(examples.record, weights=weights)
    for virus in (True, False):
        of_class = by_record[examples.virus == virus]
        np.testing.assert_allclose(of_class, of_class[0])
        assert of_class.sum() == pytest.approx(weights.sum() / 2)


def test_a_linear_head_is_exactly_that(make_examples: Make) -> None:
    joined = make_examples().joined
    random = np.random.default_rng(1)
    weight, mean, deviation = random.standard_normal(16), random.standard_normal(16), random.uniform(1, 2, 16)
    head = HeadTensors.linear(weight, 0.3).standardised(mean, deviation).calibrated(2.0, -0.7)
    expected = 2 * ((joined - mean) / deviation @ weight + 0.3) - 0.7
    np.testing.assert_allclose(head.log_odds(joined), expected, rtol=1e-5, atol=1e-5)


def test_calibration_makes_the_mean_of_a_record_right(make_examples: Make) -> None:
    examples = make_examples(groups=600, distance=0.5)
    fitted = fit_head(examples, kind=HeadKind.LOGISTIC, hidden=1, seed=1)
    loud = fitted.head.calibrated(6.0, 2.0)

    def error(head: HeadTensors) -> float:
        return calibration_error(examples.means(sigmoid(head.log_odds(examples.joined))), examples.virus)

    assert error(loud) > 0.1
    assert error(calibrate(loud, examples)) < 0.05


def test_small_products_are_computed_by_one_thread_even_if_torch_is_loaded_for_them(
    make_examples: Make, tmp_path: Path
) -> None:
    (tmp_path / "examples.pickle").write_bytes(pickle.dumps(make_examples()))
    program = """if True:
        import pickle, sys
        from virnucpro_tasks.heads.mlp import fit_mlp

        examples = pickle.load(open(sys.argv[1], "rb"))
        assert "torch" not in sys.modules
        fit_mlp(examples, examples, hidden=4, seed=1, say=lambda _: print(sys.modules["torch"].get_num_threads()))
    """
    command = [sys.executable, "-c", program, str(tmp_path / "examples.pickle")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "2"}
    )
    assert set(done.stdout.split()) == {"1"}


def test_groups_count_alike_in_calibration(make_examples: Make) -> None:
    examples = make_examples(groups=31, records=3)
    doubled = replace(examples, labels=[replace(label, group=label.group[:2]) for label in examples.labels])
    for some in (examples, doubled):
        weights, observations = group_weights(some)
        of = [(label.virus, label.group) for label in some.labels]
        sums = {one: sum(weight for weight, other in zip(weights, of, strict=True) if other == one) for one in of}
        for virus in (True, False):
            values = [value for (kind, _), value in sums.items() if kind == virus]
            assert sum(values) == pytest.approx(0.5)
            np.testing.assert_allclose(values, values[0])
        assert observations == 2 * min(sum(kind == virus for kind, _ in sums) for virus in (True, False))


def test_few_groups_move_scores_less_than_many(make_examples: Make) -> None:
    loud = fit_head(make_examples(groups=400), kind=HeadKind.LOGISTIC, hidden=1, seed=1).head.calibrated(4.0, 0.0)
    ratios = [
        calibrate(loud, make_examples(groups=groups, distance=0.3, seed=8)).output[0, 0] / loud.output[0, 0]
        for groups in (4, 400)
    ]
    assert ratios[1] < 0.6
    assert 0.8 < ratios[0] < 1.25


def test_the_written_bundle_scores_as_the_fit_did(make_examples: Make, tmp_path: Path) -> None:
    encoders = demo_bundle()
    widths = encoders.description.nucleotide_width, encoders.description.protein_width
    head = HeadTensors.linear(np.random.default_rng(2).standard_normal(sum(widths)), 0.1)
    digests = {name: encoders.description.sha256[name] for name in ENCODER_FILES}
    card = {"head": {"chunk_length": 300}, "encoders": {"sha256": digests}}
    request = HeadRequest(
        kind=HeadKind.LOGISTIC, hidden=1, seed=1, chunk_length=300, name="mine", licence="MIT", intended_use="a test"
    )
    bundle = write_trained(tmp_path / "bundle", encoders, head, request, card=card, head_name="logistic")
    verify_bundle(bundle)
    assert CARD_FILE in bundle.description.sha256 and not bundle.description.demonstration
    vectors = np.random.default_rng(3).standard_normal((50, sum(widths)), dtype=np.float32)
    scores = load_head(bundle).scores(vectors[:, : widths[0]], vectors[:, widths[0] :])
    np.testing.assert_allclose(scores[:, 1], sigmoid(head.log_odds(vectors)), atol=1e-5)
    assert (bundle.path / "esm2/model.safetensors").read_bytes() == (
        encoders.path / "esm2/model.safetensors"
    ).read_bytes()
