from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_tasks.embed.tokens import (
    MAX_RESIDUES,
    RESIDUES,
    NucleotideTokenizer,
    SequenceError,
    tokenize_proteins,
)
from virnucpro_tasks.errors import BundleError


def rows(ragged):
    return [row.tolist() for row in np.split(ragged.ids, np.cumsum(ragged.lengths)[:-1])]


@given(st.lists(st.text(RESIDUES, min_size=1, max_size=30), min_size=1, max_size=20))
def test_protein_ids_are_those_of_fair_esm(proteins):
    esm = pytest.importorskip("esm")
    alphabet = esm.data.Alphabet.from_architecture("ESM-1b")
    expected = [[alphabet.cls_idx, *alphabet.encode(protein), alphabet.eos_idx] for protein in proteins]
    assert rows(tokenize_proteins(proteins)) == expected


def test_a_protein_is_cut_at_the_training_window():
    ragged = tokenize_proteins(["M" * (MAX_RESIDUES + 5), "M" * MAX_RESIDUES, "MK"])
    assert ragged.lengths.tolist() == [1_024, 1_024, 4]
    assert rows(ragged)[0] == rows(ragged)[1]
    assert ragged.ids.dtype == np.int64


@pytest.mark.parametrize("letter", ["*", "J", "m", " ", "?", "é", "\u4e2d"])
def test_an_unknown_letter_is_named_with_its_place(letter):
    with pytest.raises(SequenceError) as caught:
        tokenize_proteins(["MK", "MKL" + letter + "A", "M"])
    assert caught.value.index == 1
    assert repr(letter) in str(caught.value) and "residue 4" in str(caught.value)


def test_a_letter_behind_the_cut_does_not_matter():
    assert tokenize_proteins(["M" * MAX_RESIDUES + "*"]).lengths.tolist() == [1_024]


def test_an_empty_protein_is_refused():
    with pytest.raises(SequenceError, match="sequence 1: the protein is empty"):
        tokenize_proteins(["M", ""])


def test_no_proteins_give_no_ids():
    ragged = tokenize_proteins([])
    assert ragged.ids.size == ragged.lengths.size == 0


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.randoms())
def test_select_gives_the_rows_asked_for(residues, random):
    ragged = tokenize_proteins([RESIDUES[i : i + n] for i, n in enumerate(residues)])
    order = random.sample(range(len(residues)), k=random.randint(1, len(residues)))
    expected = [token for i in order for token in rows(ragged)[i]]
    assert ragged.select(np.array(order)).tolist() == expected


@pytest.mark.parametrize("file", ["tokenizer.json", "upstream-variants/tokenizer_dnabert-s_copy_with_padding2000.json"])
def test_nucleotide_ids_are_those_of_the_published_tokenizer(shared, file):
    folder = shared / "reference" / "dnabert-s"
    examples = json.loads((folder / "tokenizer_examples.json").read_text())["examples"]
    tokenizer = NucleotideTokenizer.load(folder / file, rows=4_096)
    ragged = tokenizer.encode([example["sequence"] for example in examples])
    assert rows(ragged) == [example["ids"] for example in examples]
    assert tokenizer.vocabulary == 4_096


def test_padding_and_truncation_in_the_file_are_switched_off(small_tokenizer, tmp_path):
    small_tokenizer.enable_padding(length=20)
    small_tokenizer.enable_truncation(8)
    small_tokenizer.save(str(tmp_path / "tokenizer.json"))
    ragged = NucleotideTokenizer.load(tmp_path / "tokenizer.json", rows=64).encode(["AC", "ACACACACACAC", ""])
    assert ragged.lengths.tolist() == [4, 14, 2]


@pytest.mark.parametrize("content", [b"not json", b"{}", b"\xff\xfe"])
def test_a_damaged_tokenizer_file_is_named(tmp_path, content):
    file = tmp_path / "tokenizer.json"
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"tokenizer\.json"):
        NucleotideTokenizer.load(file, rows=64)


def test_a_tokenizer_without_special_tokens_around_is_refused(small_tokenizer, tmp_path):
    small_tokenizer.post_processor = None
    small_tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(BundleError, match=r"\[CLS\] before and \[SEP\] behind"):
        NucleotideTokenizer.load(tmp_path / "tokenizer.json", rows=64)
