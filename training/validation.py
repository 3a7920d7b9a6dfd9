"""AUROC on contigs of species that did not train, mean over frames, while training goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.corpus import Corpus
from training.sampling import CHUNK_LENGTH, Frames, record_weights
from virnucpro_tasks.reads.chunks import all_chunk_bounds
from virnucpro_tasks.reads.frames import open_frames
from virnucpro_tasks.reads.translation import Ragged

SHORTEST, LONGEST = 300, 5000


@dataclass(frozen=True, slots=True)
class Contigs:
    """Frames of contigs: `contig` (n,) is the contig of each frame, `virus` (contigs,) its label."""

    frames: Frames
    contig: NDArray[np.int64]
    virus: NDArray[np.bool_]


def draw_contigs(corpus: Corpus, split: str, *, count: int, seed: int) -> Contigs:
    """`count` contigs with at least one open frame, half of them viral, cut into chunks as the pipeline does.

    Lengths are log-uniform from SHORTEST to LONGEST bases; taxa and groups are balanced as in FrameSampler.
    """
    random = np.random.default_rng(seed)
    records = corpus.members(split)
    nucleotides: list[str] = []
    proteins: list[str] = []
    contig_of: list[int] = []
    taxa: list[int] = []
    labels: list[bool] = []
    for label in (False, True):
        mine = records[corpus.virus[records] == label]
        weights = record_weights(corpus, mine)
        while labels.count(label) < count // 2:
            record = int(random.choice(mine, p=weights))
            length = int(np.exp(random.uniform(np.log(SHORTEST), np.log(LONGEST))))
            length = min(length, int(corpus.lengths[record]))
            first = int(corpus.starts[record] + random.integers(corpus.lengths[record] - length + 1))
            _, _, starts, ends = all_chunk_bounds(np.array([length]), CHUNK_LENGTH)
            opened = open_frames(corpus.letters[first : first + length], starts, ends)
            if not len(opened.chunks):
                continue
            nucleotides += _strings(opened.nucleotides)
            proteins += _strings(opened.proteins)
            contig_of += [len(labels)] * len(opened.chunks)
            taxa += [int(corpus.taxon[record])] * len(opened.chunks)
            labels.append(label)
    virus = np.array(labels)
    contig = np.array(contig_of)
    return Contigs(Frames(nucleotides, proteins, virus[contig], np.array(taxa)), contig, virus)


def _strings(ragged: Ragged) -> list[str]:
    return [ragged.content[start:end].decode() for start, end in pairwise(ragged.offsets.tolist())]


def auroc(scores: NDArray[np.floating], virus: NDArray[np.bool_]) -> float:
    """Probability that a virus scores higher than another (ties count half); Mann-Whitney's U by ranks."""
    order = np.argsort(scores, kind="stable")
    _, inverse, counts = np.unique(scores[order], return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = int(virus.sum())
    rank_sum = ranks[virus[order]].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * (len(virus) - positives)))


def contig_auroc(logits: NDArray[np.floating], contigs: Contigs) -> float:
    """AUROC of the mean P(virus) over the frames of each contig."""
    scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
    sums = np.bincount(contigs.contig, weights=scores, minlength=len(contigs.virus))
    return auroc(sums / np.bincount(contigs.contig, minlength=len(contigs.virus)), contigs.virus)


def logistic_regression(vectors: Tensor, virus: Tensor, *, penalty: float = 1e-3) -> Callable[[Tensor], Tensor]:
    """Fit on `vectors` (n, width), standardised; returns the function from vectors to logits."""
    mean, scale = vectors.mean(0), vectors.std(0) + 1e-6
    weights = torch.zeros(vectors.shape[1] + 1, device=vectors.device, requires_grad=True)
    inputs, targets = (vectors - mean) / scale, virus.float()
    search = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        logits = inputs @ weights[:-1] + weights[-1]
        value = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
        value = value + penalty * weights[:-1].square().sum()
        value.backward()
        return value

    search.step(loss)
    fitted = weights.detach()
    return lambda rows: (rows - mean) / scale @ fitted[:-1] + fitted[-1]
