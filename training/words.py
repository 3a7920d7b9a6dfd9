"""Words of bases and of residues as whole numbers, for finding what two sets of sequences share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

BASES = 27
"""Bases of a word: two bits each, in 64."""

RESIDUES = 7

_ALPHABET, _CODONS_BY = "ACGT", "TCAG"
_UNKNOWN = len(_ALPHABET)
_CODE = np.full(256, _UNKNOWN, np.uint8)
_CODE[np.frombuffer(_ALPHABET.encode(), np.uint8)] = np.arange(len(_ALPHABET))
_TABLE = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
_AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
_STOP = len(_AMINO_ACIDS)

Words = NDArray[np.int64]
Codes = NDArray[np.uint8]


def _residue_of_codon() -> Codes:
    found = np.full((_UNKNOWN + 1,) * 3, _STOP, np.uint8)
    codons = ((first, second, third) for first in _CODONS_BY for second in _CODONS_BY for third in _CODONS_BY)
    for codon, residue in zip(codons, _TABLE, strict=True):
        if residue != "*":
            found[tuple(_ALPHABET.index(base) for base in codon)] = _AMINO_ACIDS.index(residue)
    return found


_RESIDUES = _residue_of_codon()


def words_of_bases(sequence: bytes) -> Words:
    """The words of BASES bases at all places of `sequence` (A, C, G, T; others make no word)."""
    return _words(_CODE[np.frombuffer(sequence, np.uint8)], BASES, _UNKNOWN)


def words_of_both_strands(sequence: bytes) -> Words:
    """The words of `sequence` and of its reverse complement."""
    codes = _CODE[np.frombuffer(sequence, np.uint8)]
    return np.concatenate([_words(codes, BASES, _UNKNOWN), _words(_complement(codes), BASES, _UNKNOWN)])


def words_of_gene(sequence: bytes) -> Words:
    """The words of RESIDUES residues in the first frame of `sequence`; stop codons make no word."""
    return _words(_residues(_CODE[np.frombuffer(sequence, np.uint8)], 0), RESIDUES, _STOP)


def words_of_six_frames(sequence: bytes) -> Words:
    """The words of RESIDUES residues in all frames of `sequence` and of its reverse complement."""
    codes = _CODE[np.frombuffer(sequence, np.uint8)]
    strands = (codes, _complement(codes))
    return np.concatenate(
        [_words(_residues(strand, frame), RESIDUES, _STOP) for strand in strands for frame in range(3)]
    )


def together(parts: Iterable[Words]) -> Words:
    """All different words, sorted, as `share` wants them."""
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def share(words: Words, known: Words) -> float:
    """The share of `words` that are among the sorted `known`; 0 without words."""
    if not len(words) or not len(known):
        return 0.0
    places = np.minimum(np.searchsorted(known, words), len(known) - 1)
    return float((known[places] == words).mean())


def _words(codes: Codes, length: int, letters: int) -> Words:
    count = max(len(codes) - length + 1, 0)
    words = np.zeros(count, np.int64)
    whole = np.ones(count, np.bool_)
    for place in range(length):
        part = codes[place : place + count]
        words = words * letters + part
        whole &= part < letters
    return words[whole]


def _complement(codes: Codes) -> Codes:
    return np.where(codes < _UNKNOWN, _UNKNOWN - 1 - codes, _UNKNOWN)[::-1].astype(np.uint8)


def _residues(codes: Codes, frame: int) -> Codes:
    codons = codes[frame : frame + (len(codes) - frame) // 3 * 3].reshape(-1, 3)
    return _RESIDUES[codons[:, 0], codons[:, 1], codons[:, 2]]
