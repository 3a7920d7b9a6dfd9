from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from models.layouts import (
    DNABERT_S,
    ESM2,
    FREQUENCIES,
    HEAD,
    Tensors,
    fair_esm_file,
    hugging_face_tensors,
    masked_lm,
    with_pooler,
)

from virnucpro_tasks.models.canonical import canonical_dnabert_s, canonical_esm2, canonical_head
from virnucpro_tasks.models.sizes import DnabertSizes
from virnucpro_tasks.models.weights import Weights

PATH = Path("weights.bin")
CANONICAL = {"esm2": canonical_esm2, "dnabert-s": canonical_dnabert_s, "head": canonical_head}


@pytest.fixture
def published(esm2_tensors: Tensors, dnabert_tensors: Tensors, head_tensors: Tensors) -> dict[str, Tensors]:
    return {"esm2": esm2_tensors, "dnabert-s": dnabert_tensors, "head": head_tensors}


def weights(tensors: Tensors, heads: int | None = None) -> Weights:
    return Weights(PATH, tensors, heads)


def same(found: Tensors, expected: Tensors) -> bool:
    return set(found) == set(expected) and all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("prefix", ["", "module.", "encoder.", "encoder.sentence_encoder."])
def test_esm2_of_fair_esm_under_any_prefix(prefix: str, esm2_tensors: Tensors) -> None:
    found, sizes = canonical_esm2(weights({prefix + name: tensor for name, tensor in esm2_tensors.items()}))
    assert same(found, esm2_tensors)
    assert sizes == ESM2


def test_esm2_without_heads_of_fair_esm(esm2_tensors: Tensors) -> None:
    body = fair_esm_file(esm2_tensors, heads=None)["model"]
    body["encoder.contact_head.regression.weight"] = torch.zeros(1, 6)
    assert same(canonical_esm2(weights(body))[0], esm2_tensors)


@pytest.mark.parametrize("one_table", [False, True], ids=["transformers 4", "transformers 5"])
@pytest.mark.parametrize("prefix", ["", "esm.", "module.esm."])
def test_esm2_of_hugging_face(prefix: str, one_table: bool, esm2_tensors: Tensors) -> None:
    theirs = hugging_face_tensors(esm2_tensors, prefix=prefix, one_table=one_table)
    theirs |= {
        "lm_head.bias": torch.zeros(33),
        "lm_head.decoder.weight": theirs[f"{prefix}embeddings.word_embeddings.weight"],
    }
    theirs |= {
        f"{prefix}pooler.dense.weight": torch.zeros(2, 2),
        f"{prefix}contact_head.regression.bias": torch.ones(1),
    }
    found, sizes = canonical_esm2(weights(theirs))
    assert same(found, esm2_tensors)
    assert sizes == ESM2


def test_esm2_without_frequencies_needs_the_heads_of_its_configuration(
    esm2_tensors: Tensors, refused: Callable
) -> None:
    bare = {name: tensor for name, tensor in esm2_tensors.items() if not name.endswith("inv_freq")}
    assert canonical_esm2(weights(bare, 3))[1] == ESM2
    assert "how many heads" in refused(PATH, canonical_esm2, weights(bare)).what


@pytest.mark.parametrize("heads", [-3, 4, 6, 7, 24, 10**30])
def test_esm2_with_heads_that_do_not_fit(heads: int, esm2_tensors: Tensors, refused: Callable) -> None:
    refused(PATH, canonical_esm2, weights(esm2_tensors, heads))


@pytest.mark.parametrize("heads", [-3, 5, 8, 24, 10**30])
def test_esm2_with_heads_that_do_not_fit_and_no_frequencies(
    heads: int, esm2_tensors: Tensors, refused: Callable
) -> None:
    bare = {name: tensor for name, tensor in esm2_tensors.items() if not name.endswith("inv_freq")}
    refused(PATH, canonical_esm2, weights(bare, heads))


@pytest.mark.parametrize("change", ["value", "shape", "absent", "type"])
def test_esm2_with_frequencies_that_differ_between_layers(
    change: str, esm2_tensors: Tensors, refused: Callable
) -> None:
    name = f"layers.1.{FREQUENCIES}"
    esm2_tensors |= {"value": {name: esm2_tensors[name] + 1}, "shape": {name: torch.ones(3)}}.get(change, {})
    if change == "absent":
        del esm2_tensors[name]
    if change == "type":
        esm2_tensors[name] = esm2_tensors[name].half()
    refused(PATH, canonical_esm2, weights(esm2_tensors))


@pytest.mark.parametrize("prefix", ["", "bert.", "module.", "module.bert."])
def test_dnabert_s_under_any_prefix(prefix: str, dnabert_tensors: Tensors) -> None:
    renamed = {prefix + name: tensor for name, tensor in dnabert_tensors.items()}
    found, sizes = canonical_dnabert_s(weights(renamed, 4))
    assert same(found, dnabert_tensors)
    assert sizes == DNABERT_S


@pytest.mark.parametrize("layout", [masked_lm, with_pooler])
def test_dnabert_s_without_its_heads(layout: Callable, dnabert_tensors: Tensors) -> None:
    found, _ = canonical_dnabert_s(weights(layout(dnabert_tensors, DNABERT_S.width), 4))
    assert same(found, dnabert_tensors)


def with_old_norm_names(tensors: Tensors) -> Tensors:
    old = {".weight": ".gamma", ".bias": ".beta"}
    return {
        re.sub(r"(?<=LayerNorm)(\.weight|\.bias)", lambda found: old[found[0]], name): tensor
        for name, tensor in tensors.items()
    }


def test_norms_under_the_names_that_transformers_5_writes(dnabert_tensors: Tensors, esm2_tensors: Tensors) -> None:
    assert same(canonical_dnabert_s(weights(with_old_norm_names(dnabert_tensors), 4))[0], dnabert_tensors)
    theirs = with_old_norm_names(hugging_face_tensors(esm2_tensors, prefix="esm.", one_table=True))
    table = theirs.pop("esm.rotary_embeddings.inv_freq")
    theirs["esm.encoder.layer.*.attention.self.rotary_embeddings.inv_freq"] = table
    assert same(canonical_esm2(weights(theirs))[0], esm2_tensors)


def test_norm_under_both_names(dnabert_tensors: Tensors, refused: Callable) -> None:
    both = dnabert_tensors | {"embeddings.LayerNorm.gamma": dnabert_tensors["embeddings.LayerNorm.weight"]}
    assert "twice" in refused(PATH, canonical_dnabert_s, weights(both, 4)).what


@pytest.mark.parametrize("heads", [None, -1, 5, 10**30])
def test_dnabert_s_with_heads_that_do_not_fit(heads: int | None, dnabert_tensors: Tensors, refused: Callable) -> None:
    refused(PATH, canonical_dnabert_s, weights(dnabert_tensors, heads))


def test_published_dnabert_s_needs_no_configuration(shared: Path) -> None:
    published = json.loads((shared / "reference/dnabert-s/state_dict_shapes.json").read_text())["shapes"]
    tensors = {name: torch.zeros(1).expand(shape) for name, shape in published.items()}
    assert canonical_dnabert_s(weights(tensors))[1] == DnabertSizes(12, 768, 12, 3072, 4096)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_classifier(prefix: str, head_tensors: Tensors) -> None:
    found, sizes = canonical_head(weights({prefix + name: tensor for name, tensor in head_tensors.items()}))
    assert same(found, head_tensors)
    assert sizes == HEAD


def test_classifier_that_counts_no_batches(head_tensors: Tensors) -> None:
    del head_tensors["bn1.num_batches_tracked"]
    assert same(canonical_head(weights(head_tensors))[0], head_tensors)


def test_classifier_with_a_negative_variance(head_tensors: Tensors, refused: Callable) -> None:
    head_tensors["bn1.running_var"][2] = -1
    assert "negative" in refused(PATH, canonical_head, weights(head_tensors)).what


@pytest.mark.parametrize("kind", CANONICAL)
def test_every_missing_tensor_is_refused(kind: str, published: dict[str, Tensors], refused: Callable) -> None:
    for name in set(published[kind]) - {"bn1.num_batches_tracked"}:
        cut = {key: tensor for key, tensor in published[kind].items() if key != name}
        refused(PATH, CANONICAL[kind], weights(cut, {"esm2": 3, "dnabert-s": 4}.get(kind)))


@pytest.mark.parametrize("kind", CANONICAL)
@pytest.mark.parametrize("change", [lambda t: t[None], lambda t: t.flatten()[:1], lambda t: torch.zeros(())], ids="abc")
def test_every_wrong_shape_is_refused(
    kind: str, change: Callable, published: dict[str, Tensors], refused: Callable
) -> None:
    for name in set(published[kind]) - {"bn1.num_batches_tracked"}:
        changed = published[kind] | {name: change(published[kind][name])}
        refused(PATH, CANONICAL[kind], weights(changed, {"esm2": 3, "dnabert-s": 4}.get(kind)))


@pytest.mark.parametrize("kind", CANONICAL)
@pytest.mark.parametrize(
    "name", ["", "extra", "layers.0.extra", "encoder.layer.0.extra", "bn1.extra", "\x1b[31m\n" * 999]
)
def test_unknown_tensor_is_refused_and_its_name_fit_for_a_terminal(
    kind: str, name: str, published: dict[str, Tensors], refused: Callable
) -> None:
    changed = published[kind] | {name: torch.zeros(1)}
    error = refused(PATH, CANONICAL[kind], weights(changed, {"esm2": 3, "dnabert-s": 4}.get(kind)))
    assert error.what.isprintable()
    assert len(error.what) < 1000


@pytest.mark.parametrize(
    "number", ["2", "999999999999", "9" * 5000, "-1", "٣", "01"], ids=lambda number: ascii(number)[:9]
)
@pytest.mark.parametrize(("kind", "stem"), [("esm2", "layers."), ("dnabert-s", "encoder.layer.")])
def test_layer_numbers_do_not_make_layers(
    kind: str, stem: str, number: str, published: dict[str, Tensors], refused: Callable
) -> None:
    """One tensor of a very high layer is refused at once, without a list of all layers below it."""
    changed = published[kind] | {f"{stem}{number}.fc1.weight": torch.zeros(1)}
    started = time.monotonic()
    refused(PATH, CANONICAL[kind], weights(changed, {"esm2": 3, "dnabert-s": 4}[kind]))
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("kind", CANONICAL)
def test_files_are_not_taken_for_one_another(kind: str, published: dict[str, Tensors], refused: Callable) -> None:
    for other in set(CANONICAL) - {kind}:
        assert "not" in refused(PATH, CANONICAL[kind], weights(published[other])).what
    refused(PATH, CANONICAL[kind], weights({}))
