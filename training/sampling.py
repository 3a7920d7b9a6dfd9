"""Frames and segments of random chunks, as the pipeline makes them, balanced by label, organism, taxon and group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.corpus import Corpus
from training.organisms import SHARES, organism
from training.splits import GENE_GROUP
from virnucpro_tasks.reads.frames import OpenFrames, open_frames
from virnucpro_tasks.reads.segments import longest_segments
from virnucpro_tasks.reads.translation import Ragged

CHUNK_LENGTH = 500
FULL_SHARE = 0.6
SHORTEST_CHUNK = 200
"""Of the chunks, FULL_SHARE have CHUNK_LENGTH bases, the others any length from SHORTEST_CHUNK on: the pipeline's last
chunks and short contigs are such. The length is drawn before the record, so that it tells nothing of the label."""

SEGMENT_SHARE = 0.3
"""Share of the sequences of each label that are segments: the longest of a chunk without an open frame."""

GENE_SHARE = 0.6
"""Share of an organism's sequences that are of single genes, where there are such and whole genomes too. The same for
viruses and others: that a sequence is all of one gene must not tell its label."""

_BLOCK = 2048
_TRIALS = 200
_LEAST_YIELD = 0.05


@dataclass(frozen=True, slots=True)
class Frames:
    """n frames: `nucleotides` and `proteins` as in OpenFrames, `virus` (n,) bool, `taxon` (n,) int64."""

    nucleotides: list[str]
    proteins: list[str]
    virus: NDArray[np.bool_]
    taxon: NDArray[np.int64]


class FrameSampler:
    """Endless frames of the records of one split; equal arguments give equal frames.

    Labels alternate. A kind of organism has its share (SHARES); within it a taxon's share grows with the square root of
    its bases, so does a group's within the taxon; in a group bases are equal. One open frame is taken of a chunk; of
    SEGMENT_SHARE of the sequences it is the longest segment of a chunk without one. Taxa with few open frames are drawn
    so much more often that their share of the frames is as said (up to 1 / _LEAST_YIELD times).
    """

    def __init__(self, corpus: Corpus, split: str, *, seed: int, stream: int = 0) -> None:
        self._corpus = corpus
        self._random = np.random.default_rng([seed, stream])
        records = corpus.members(split)
        self._records = {label: records[corpus.virus[records] == label] for label in (False, True)}
        self._weights = {label: record_weights(corpus, chosen) for label, chosen in self._records.items()}
        trial = np.random.default_rng(seed)
        for label, chosen in self._records.items():
            self._weights[label] *= self._scarcity(chosen, trial)
            self._weights[label] /= self._weights[label].sum()

    def sample(self, count: int) -> Frames:
        """The next `count` frames."""
        frames = self._draws()
        nucleotides, proteins, virus, taxa = zip(*(next(frames) for _ in range(count)), strict=True)
        return Frames(list(nucleotides), list(proteins), np.array(virus), np.array(taxa))

    def _draws(self) -> Iterator[tuple[str, str, bool, int]]:
        pools: dict[bool, Iterator[tuple[str, str, bool, int]]] = {
            label: self._of_label(label) for label in (False, True)
        }
        while True:
            yield next(pools[False])
            yield next(pools[True])

    def _of_label(self, label: bool) -> Iterator[tuple[str, str, bool, int]]:  # noqa: FBT001
        frames, segments = self._of_frames(label), self._of_segments(label)
        while True:
            segment = next(segments) if self._random.random() < SEGMENT_SHARE else None
            yield next(frames) if segment is None else segment

    def _of_frames(self, label: bool) -> Iterator[tuple[str, str, bool, int]]:  # noqa: FBT001
        while True:
            records = self._random.choice(self._records[label], size=_BLOCK, p=self._weights[label])
            opened = self._opened(records, self._random)
            chosen = _one_of_each_chunk(opened, self._random)
            nucleotides, proteins = opened.nucleotides, opened.proteins
            for frame in chosen.tolist():
                taxon = int(self._corpus.taxon[records[opened.chunks[frame]]])
                yield _text(nucleotides, frame), _text(proteins, frame), label, taxon

    def _of_segments(self, label: bool) -> Iterator[tuple[str, str, bool, int] | None]:  # noqa: FBT001
        """Segments; None once for every draw of chunks among which there is none."""
        # Scarce in other taxa than open frames are.
        weights = record_weights(self._corpus, self._records[label])
        # A gene is one open frame: to look for segments there is in vain.
        weights[are_genes(self._corpus, self._records[label])] = 0
        weights /= weights.sum()
        while True:
            records = self._random.choice(self._records[label], size=_BLOCK, p=weights)
            bases, starts, ends = self._pieces(records, self._random)
            closed = np.flatnonzero(open_frames(bases, starts, ends).counts == 0)
            found = longest_segments(bases, starts[closed], ends[closed])
            if not len(found.chunks):
                yield None
            for place, chunk in enumerate(closed[found.chunks].tolist()):
                taxon = int(self._corpus.taxon[records[chunk]])
                yield _text(found.nucleotides, place), _text(found.proteins, place), label, taxon

    def _opened(self, records: NDArray[np.int64], random: np.random.Generator) -> OpenFrames:
        return open_frames(*self._pieces(records, random))

    def _pieces(
        self, records: NDArray[np.int64], random: np.random.Generator
    ) -> tuple[bytes, NDArray[np.int64], NDArray[np.int64]]:
        """A chunk of each record: bases end to end, and where each chunk starts and ends."""
        full = random.random(len(records)) < FULL_SHARE
        lengths = np.where(full, CHUNK_LENGTH, random.integers(SHORTEST_CHUNK, CHUNK_LENGTH, len(records)))
        starts, ends = self._corpus.starts[records], self._corpus.ends[records]
        # A record too short for the length drawn gives nothing.
        lengths = np.where(ends - starts >= lengths, lengths, 0)
        first = starts + (random.random(len(records)) * (ends - starts - lengths + 1)).astype(np.int64)
        pieces = [self._corpus.letters[at : at + length] for at, length in zip(first, lengths, strict=True)]
        stops = np.cumsum(lengths)
        return b"".join(pieces), stops - lengths, stops

    def _scarcity(self, records: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float64]:
        """For each record: one over the share of chunks of its taxon that have an open frame."""
        factors = np.ones(len(records))
        taxa = self._corpus.taxon[records]
        lengths = self._corpus.lengths[records]
        for taxon in np.unique(taxa):
            inside = taxa == taxon
            weights = lengths[inside] / lengths[inside].sum()
            opened = self._opened(random.choice(records[inside], size=_TRIALS, p=weights), random)
            factors[inside] = 1 / max((opened.counts > 0).mean(), _LEAST_YIELD)
        return factors


def are_genes(corpus: Corpus, records: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each of `records` is a single gene of training.genes."""
    of_group = np.array([group.startswith(GENE_GROUP) for group in corpus.groups])
    return of_group[corpus.group[records]]


def record_weights(corpus: Corpus, records: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probability of each of `records`, all of one label; see FrameSampler.

    Kinds of organism have their SHARES, as far as there are records of them.
    """
    bases = corpus.lengths[records].astype(np.float64)
    taxa, groups = corpus.taxon[records], corpus.group[records]
    # A group may have records of two taxa: its part in each is a group of its own.
    pairs, pair_of = np.unique(np.stack([taxa, groups]), axis=1, return_inverse=True)
    pair_of = pair_of.ravel()
    pair_bases = np.bincount(pair_of, weights=bases)
    pair_roots = np.sqrt(pair_bases)
    taxon_bases = np.bincount(taxa, weights=bases)
    taxon_roots = np.bincount(pairs[0], weights=pair_roots)
    group_share = pair_roots / taxon_roots[pairs[0]]
    taxon_share = np.sqrt(taxon_bases) / np.sqrt(taxon_bases).sum()
    weights = taxon_share[taxa] * group_share[pair_of] * bases / pair_bases[pair_of]
    virus = bool(corpus.virus[records[0]])
    kinds = np.array([organism(corpus.taxa[taxon], virus=virus) for taxon in taxa])
    genes = are_genes(corpus, records)
    for kind in np.unique(kinds):
        inside = kinds == kind
        if 0 < genes[inside].sum() < inside.sum():
            for chosen, share in ((inside & genes, GENE_SHARE), (inside & ~genes, 1 - GENE_SHARE)):
                weights[chosen] *= share / weights[chosen].sum()
        weights[inside] *= SHARES[kind] / weights[inside].sum()
    return weights / weights.sum()


def _text(ragged: Ragged, place: int) -> str:
    return ragged.content[ragged.offsets[place] : ragged.offsets[place + 1]].decode()


def _one_of_each_chunk(opened: OpenFrames, random: np.random.Generator) -> NDArray[np.int64]:
    """Index of one random frame of every chunk that has any."""
    counts = opened.counts.astype(np.int64)
    first = np.cumsum(counts) - counts
    chosen = first + (random.random(len(counts)) * counts).astype(np.int64)
    return chosen[counts > 0]
