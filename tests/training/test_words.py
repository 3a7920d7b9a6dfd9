"""Words of bases and residues."""

from __future__ import annotations

import numpy as np
import pytest

from training.words import (
    BASES,
    share,
    together,
    words_of_bases,
    words_of_both_strands,
    words_of_gene,
    words_of_six_frames,
)

SEQUENCE = b"ATGGCGGAGACCCTCACAGAACTCTCCCAACGGAATGAAGCGTTCTGGATTGGTTTGGCT"
COMPLEMENT = SEQUENCE.translate(bytes.maketrans(b"ACGT", b"TGCA"))[::-1]


def test_a_word_at_every_place():
    assert len(words_of_bases(SEQUENCE)) == len(SEQUENCE) - BASES + 1
    assert len(words_of_bases(SEQUENCE[: BASES - 1])) == 0


def test_an_unknown_base_is_in_no_word():
    words = words_of_bases(SEQUENCE[:BASES] + b"N" + SEQUENCE[:BASES])
    assert words.tolist() == words_of_bases(SEQUENCE[:BASES]).tolist() * 2


def test_strands_have_the_same_words():
    assert np.array_equal(together([words_of_both_strands(SEQUENCE)]), together([words_of_both_strands(COMPLEMENT)]))
    assert share(words_of_bases(SEQUENCE), together([words_of_bases(COMPLEMENT)])) == 0


@pytest.mark.parametrize("before", [b"", b"C", b"CC"])
@pytest.mark.parametrize("strand", [SEQUENCE, COMPLEMENT])
def test_a_gene_is_found_in_any_frame(before, strand):
    assert share(words_of_gene(SEQUENCE), together([words_of_six_frames(before + strand)])) == 1


def test_synonymous_codons_give_the_same_residues():
    assert words_of_gene(b"TTACTGAAACGTTTTGGAGTC").tolist() == words_of_gene(b"CTCTTGAAGAGATTCGGGGTA").tolist()
    assert len(words_of_gene(b"TTACTGAAATAATTTGGAGTC")) == 0


def test_the_share_of_nothing_is_0():
    words = words_of_bases(SEQUENCE)
    assert share(words, together([])) == share(words[:0], words) == 0
    assert share(words, together([words[::2]])) == pytest.approx(0.5, abs=0.02)
