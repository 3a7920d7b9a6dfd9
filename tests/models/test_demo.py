from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.models.bundle import MEMBER_FILES
from virnucpro_tasks.models.demo import build_demo_bundle, fasta_sequences, train_tokenizer
from virnucpro_tasks.models.locate import demo_bundle

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sample.fasta"


def test_equal_arguments_give_equal_files(tmp_path: Path) -> None:
    one, other = (build_demo_bundle(tmp_path / name, sequences=fasta_sequences(SAMPLE)) for name in ("a", "b"))
    for name in (*MEMBER_FILES, "bundle.json"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes(), name


def test_seed_and_sequences_decide(tmp_path: Path) -> None:
    sequences = ["ACGTTGCAACGGATTACA" * 20]
    first = build_demo_bundle(tmp_path / "first", sequences=sequences, seed=1)
    again = build_demo_bundle(tmp_path / "again", sequences=sequences, seed=1)
    other = build_demo_bundle(tmp_path / "other", sequences=sequences, seed=2)
    assert first.digest == again.digest
    assert first.description.sha256["esm2/model.safetensors"] != other.description.sha256["esm2/model.safetensors"]


def test_tokenizer_has_the_published_pipeline(shared: Path) -> None:
    published = json.loads((shared / "reference/dnabert-s/tokenizer.json").read_text())
    ours = json.loads((demo_bundle().path / "dnabert-s/tokenizer.json").read_text())
    for part in ("normalizer", "pre_tokenizer", "post_processor", "added_tokens", "padding", "truncation", "decoder"):
        assert ours[part] == published[part], part
    options = set(published["model"]) - {"vocab", "merges"}
    assert {name: ours["model"][name] for name in options} == {name: published["model"][name] for name in options}
    assert list(ours["model"]["vocab"])[:9] == list(published["model"]["vocab"])[:9]


def test_unknown_letters_are_unknown_tokens_one_by_one() -> None:
    tokenizer = train_tokenizer(["ACGT" * 50], vocabulary=16)
    assert tokenizer.encode("NNN").ids == [1, 0, 0, 0, 2]


def test_scores_of_a_random_head_spread(tmp_path: Path) -> None:
    bundle = build_demo_bundle(tmp_path / "bundle", sequences=["ACGTTGCAACGGATTACA" * 20])
    random = np.random.default_rng(0)
    nucleotide = random.normal(0, 0.3, (200, bundle.description.nucleotide_width)).astype(np.float32)
    protein = random.normal(0, 0.3, (200, bundle.description.protein_width)).astype(np.float32)
    virus = load_head(bundle).scores(nucleotide, protein)[:, 1]
    assert 0.1 < virus.std() < 0.45


@pytest.mark.parametrize("content", [b"", b"ACGT\n", b"\x1f\x8b\x08\x00"])
def test_what_is_not_fasta(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.fa").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.fa"):
        fasta_sequences(tmp_path / "x.fa")
