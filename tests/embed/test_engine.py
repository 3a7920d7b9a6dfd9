from __future__ import annotations

import dataclasses
import subprocess
import sys

import msgspec
import numpy as np
import pytest
import torch
from embed.conftest import describe
from safetensors.torch import load_file, save_file

from virnucpro_tasks.embed import engine as engine_module
from virnucpro_tasks.embed.engine import EmbeddingStopped, Engine, EngineOptions, NonFiniteError, SequenceError
from virnucpro_tasks.errors import BackendError, BundleError, SettingsError

OPTIONS = EngineOptions(device="cpu", precision="fp32", attention="auto", token_budget=256, threads=1)
NUCLEOTIDES = ["ACGTAACCGG", "TTTTGGGACA" * 9, "ACGTNNACGT", "GC" * 40, "A", "ACGGTTGCAA" * 3]


def options(**changes):
    return dataclasses.replace(OPTIONS, **changes)


def never():
    return False


def cosines(one, other):
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def test_vectors_in_input_order_do_not_depend_on_the_packs(bundle, random_proteins):
    proteins = random_proteins([3, 200, 50, 50, 1, 1_022, 49])
    engine = Engine.load(bundle, OPTIONS)
    together = engine.embed(NUCLEOTIDES, proteins, should_stop=never)
    assert together.nucleotide.shape == (6, 48) and together.protein.shape == (7, 32)
    assert together.nucleotide.dtype == together.protein.dtype == np.float32
    backwards = Engine.load(bundle, options(token_budget=4_096)).embed(
        NUCLEOTIDES[::-1], proteins[::-1], should_stop=never
    )
    np.testing.assert_allclose(backwards.nucleotide[::-1], together.nucleotide, atol=1e-5)
    np.testing.assert_allclose(backwards.protein[::-1], together.protein, atol=1e-5)
    for place, protein in enumerate(proteins):
        alone = engine.embed([], [protein], should_stop=never)
        np.testing.assert_allclose(alone.protein[0], together.protein[place], atol=1e-5)


def test_the_same_input_gives_the_same_bytes(bundle, random_proteins):
    proteins = random_proteins([30, 60, 60, 90])
    first, second = (Engine.load(bundle, OPTIONS).embed(NUCLEOTIDES, proteins, should_stop=never) for _ in range(2))
    assert first.nucleotide.tobytes() == second.nucleotide.tobytes()
    assert first.protein.tobytes() == second.protein.tobytes()


def test_the_stats_tell_what_was_computed(bundle, random_proteins):
    engine = Engine.load(bundle, OPTIONS)
    embedded = engine.embed(NUCLEOTIDES, random_proteins([10, 300, 10]), should_stop=never)
    stats = embedded.stats
    assert stats.attention == engine.attention == {"dnabert-s": "sdpa", "esm2": "sdpa"}
    assert embedded.protein_stats.tokens == 326 and embedded.protein_stats.packs == 2
    assert embedded.protein_stats.token_fill == pytest.approx(326 / (302 + 256))
    assert stats.tokens == embedded.nucleotide_stats.tokens + 326
    assert stats.packs == embedded.nucleotide_stats.packs + 2
    assert stats.recomputed_packs == 0
    assert engine.bundle_digest == bundle.digest


@pytest.mark.parametrize(("precision", "bound"), [("fp16", 0.9999), ("bf16", 0.999)])
def test_reduced_precision_on_the_cpu_stays_close(bundle, random_proteins, precision, bound):
    proteins = random_proteins([5, 80, 80, 300])
    exact = Engine.load(bundle, OPTIONS).embed(NUCLEOTIDES, proteins, should_stop=never)
    reduced = Engine.load(bundle, options(precision=precision)).embed(NUCLEOTIDES, proteins, should_stop=never)
    for part in ("nucleotide", "protein"):
        assert getattr(reduced, part).dtype == np.float32
        assert not np.array_equal(getattr(exact, part), getattr(reduced, part))
        assert cosines(getattr(exact, part), getattr(reduced, part)).min() > bound


def break_tensor(directory, name, value):
    file = directory / "model.safetensors"
    tensors = load_file(file)
    tensors[name].view(-1)[0] = value
    save_file(tensors, file)


def test_what_overflows_fp16_is_recomputed_in_fp32(bundle, random_proteins):
    # 1e5 is a fine number in FP32 and infinite in FP16.
    break_tensor(bundle.path / "esm2", "layers.0.fc1.bias", 1e5)
    bundle = describe(bundle.path)
    proteins = random_proteins([20, 100, 250])
    exact = Engine.load(bundle, OPTIONS).embed([], proteins, should_stop=never)
    guarded = Engine.load(bundle, options(precision="fp16")).embed(["ACGT"], proteins, should_stop=never)
    assert guarded.protein_stats.recomputed_packs == guarded.protein_stats.packs == 2
    assert guarded.nucleotide_stats.recomputed_packs == 0
    assert np.array_equal(guarded.protein, exact.protein)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_nan_in_fp32_raises(bundle, precision):
    break_tensor(bundle.path / "dnabert-s", "encoder.layer.1.mlp.wo.weight", torch.nan)
    engine = Engine.load(describe(bundle.path), options(precision=precision))
    with pytest.raises(NonFiniteError, match="dnabert-s") as caught:
        engine.embed(["ACGT", "AA"], ["MK"], should_stop=never)
    assert caught.value.indices == [0, 1]


def test_a_stop_between_packs_raises(bundle, random_proteins):
    asked = []

    def should_stop():
        asked.append(True)
        return len(asked) == 3

    with pytest.raises(EmbeddingStopped):
        Engine.load(bundle, OPTIONS).embed(["ACGT"], random_proteins([250] * 5), should_stop=should_stop)
    assert len(asked) == 3


def test_an_unknown_letter_raises_before_anything_is_computed(bundle):
    asked = []
    with pytest.raises(SequenceError, match="sequence 1"):
        Engine.load(bundle, OPTIONS).embed(["ACGT"], ["MK", "M*"], should_stop=lambda: bool(asked.append(1)))
    assert not asked


def test_nothing_in_nothing_out(bundle):
    embedded = Engine.load(bundle, OPTIONS).embed([], [], should_stop=never)
    assert embedded.nucleotide.shape == (0, 48) and embedded.protein.shape == (0, 32)


def test_threads_are_set(bundle):
    Engine.load(bundle, options(threads=2)).embed(["ACGT"], ["MK"], should_stop=never)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"precision": "fp4"}, BackendError),
        ({"attention": "xformers"}, BackendError),
        ({"token_budget": 0}, SettingsError),
        ({"threads": 0}, SettingsError),
    ],
)
def test_options_that_make_no_sense_are_refused(change, error):
    with pytest.raises(error):
        options(**change)


@pytest.mark.parametrize("change", [{"device": "tpu0"}, {"device": "meta"}, {"attention": "torch"}])
def test_what_is_not_available_is_refused_on_loading(bundle, change):
    with pytest.raises(BackendError):
        Engine.load(bundle, options(**change))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_refused(bundle):
    with pytest.raises(BackendError, match="no CUDA device"):
        Engine.load(bundle, options(device="cuda"))


def test_widths_that_differ_from_the_description_are_refused(bundle):
    description = msgspec.structs.replace(bundle.description, protein_width=64)
    with pytest.raises(BundleError, match="esm2 is 32 wide"):
        Engine.load(dataclasses.replace(bundle, description=description), OPTIONS)


def test_a_tokenizer_with_more_ids_than_the_model_is_refused(bundle, small_tokenizer):
    small_tokenizer.add_tokens(["GATTACA"])
    small_tokenizer.save(str(bundle.path / "dnabert-s" / "tokenizer.json"))
    with pytest.raises(BundleError, match="14 tokens, the model only 13"):
        Engine.load(describe(bundle.path), OPTIONS)


@pytest.mark.parametrize("name", ["esm2/model.safetensors", "esm2/config.json", "dnabert-s/tokenizer.json"])
def test_what_differs_from_its_digest_is_not_loaded(bundle, name):
    with (bundle.path / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(BundleError, match=f"{name} differs from the digest"):
        Engine.load(bundle, OPTIONS)


def test_a_model_that_is_loaded_again_in_fp32_is_verified_again(bundle):
    break_tensor(bundle.path / "esm2", "layers.0.fc1.bias", 1e5)
    bundle = describe(bundle.path)
    engine = Engine.load(bundle, options(precision="fp16"))
    break_tensor(bundle.path / "esm2", "layers.0.fc1.bias", 0)
    with pytest.raises(BundleError, match=r"esm2/model\.safetensors differs from the digest"):
        engine.embed([], ["MK"], should_stop=never)


def test_a_model_does_not_change_with_its_file(bundle, random_proteins):
    engine, proteins = Engine.load(bundle, OPTIONS), random_proteins([20, 100])
    before = engine.embed(["ACGT"], proteins, should_stop=never)
    for part in ("esm2", "dnabert-s"):
        file = bundle.path / part / "model.safetensors"
        with file.open("r+b") as handle:
            handle.write(bytes(file.stat().st_size))
    after = engine.embed(["ACGT"], proteins, should_stop=never)
    assert after.protein.tobytes() == before.protein.tobytes()
    assert after.nucleotide.tobytes() == before.nucleotide.tobytes()


def test_importing_the_engine_starts_no_cuda_and_no_foreign_model_code():
    code = (
        "import sys, virnucpro_tasks.embed.engine, torch; "
        "assert not torch.cuda.is_initialized(); "
        "assert not {'esm', 'transformers', 'flash_attn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_share_that_is_done_is_told_after_every_pack_and_ends_with_all(bundle, random_proteins):
    engine = Engine.load(bundle, OPTIONS)
    proteins = random_proteins([250] * 5)
    for arguments in ((NUCLEOTIDES, proteins), ([], proteins), (NUCLEOTIDES, [])):
        told: list[float] = []
        embedded = engine.embed(*arguments, should_stop=never, tell_share=told.append)
        assert len(told) == embedded.stats.packs
        assert told == sorted(told) and 0 < told[0] <= 1
        assert told[-1] == pytest.approx(1.0) or not arguments[0]


def test_vectors_do_not_depend_on_the_telling(bundle, random_proteins):
    engine, proteins = Engine.load(bundle, OPTIONS), random_proteins([30, 60, 250])
    silent = engine.embed(NUCLEOTIDES, proteins, should_stop=never)
    told = engine.embed(NUCLEOTIDES, proteins, should_stop=never, tell_share=lambda share: None)
    assert silent.nucleotide.tobytes() == told.nucleotide.tobytes()
    assert silent.protein.tobytes() == told.protein.tobytes()


def test_the_share_of_each_model_is_measured(bundle, random_proteins, monkeypatch):
    monkeypatch.setattr(engine_module, "LEAST_MEASURED_SECONDS", 0.0)
    ticks = iter([0.0, 3.0, 4.0, 4.0, 7.0, 8.0])
    monkeypatch.setattr(engine_module.time, "monotonic", lambda: next(ticks))
    engine, told = Engine.load(bundle, OPTIONS), []
    proteins = random_proteins([250] * 2)
    engine.embed(["ACGT"], proteins, should_stop=never)
    engine.embed(["ACGT"], proteins, should_stop=never, tell_share=told.append)
    assert told == pytest.approx([0.375, 0.75, 1.0])
