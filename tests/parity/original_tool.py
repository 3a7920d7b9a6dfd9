"""The original tool as its description says it works, without code of the package but for the reference models.

FASTA is read by Biopython, records are cut and translated base by base, each frame is computed alone by fair-esm and
plain DNABERT-S, and the consensus is taken from the written decimals. A record without a letter, at which the original
stops, is passed over.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from Bio.SeqIO.FastaIO import SimpleFastaParser
from reads.reference import plain_chunks, plain_frames

from virnucpro_tasks.reference.dnabert_s import ReferenceDnabertS
from virnucpro_tasks.reference.esm2 import fair_esm2
from virnucpro_tasks.reference.head import ReferenceHead

FRAMES_HEADER, CHUNKS_HEADER = "Sequence_ID\tPrediction\tscore1\tscore2", "Modified_ID\tIs_Virus"


@dataclass(slots=True)
class ClassicFiles:
    """The rows of both files: id, label and scores of each frame; id and call of each chunk, sorted by id."""

    frames: list[tuple[str, str, str, str]] = field(default_factory=list)
    chunks: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> ClassicFiles:
        """What is written in `folder`."""
        written = cls()
        header, *lines = (folder / "prediction_results.txt").read_text().splitlines()
        assert header == FRAMES_HEADER
        written.frames = [tuple(line.split("\t")) for line in lines]  # type: ignore[misc]
        header, *lines = (folder / "prediction_results_highestscore.csv").read_text().splitlines()
        assert header == CHUNKS_HEADER
        written.chunks = [tuple(line.split("\t")) for line in lines]  # type: ignore[misc]
        return written

    def scores(self) -> np.ndarray:
        """Both scores of each frame, float64 (n, 2)."""
        return np.array([row[2:] for row in self.frames], np.float64)


def frames_of(file: Path, chunk_length: int) -> Iterator[tuple[str, str, str, str]]:
    """Chunk id, name of the frame, protein and nucleotides of each open frame."""
    with file.open() as handle:
        for title, sequence in SimpleFastaParser(handle):
            words = title.split(None, 1)
            for number, (start, end) in enumerate(plain_chunks(len(sequence), chunk_length), 1):
                for name, protein, nucleotides in plain_frames(sequence[start:end].upper()):
                    yield f"{words[0] if words else ''}_chunk_{number}", name, protein, nucleotides


def original_files(file: Path, bundle: Path, *, chunk_length: int) -> ClassicFiles:
    """The classic files of an input by the models of a bundle."""
    cpu = torch.device("cpu")
    dnabert_s, esm2 = ReferenceDnabertS(bundle / "dnabert-s", cpu), fair_esm2(bundle / "esm2", cpu)
    head = ReferenceHead.load(bundle / "head")
    found = ClassicFiles()
    best: dict[str, tuple[float, float]] = {}
    for chunk, name, protein, nucleotides in frames_of(file, chunk_length):
        scores = head.scores(dnabert_s.vector(nucleotides)[None], esm2.vector(protein)[None])[0].numpy()
        others, virus = (str(score) for score in scores)
        found.frames.append((chunk + name, "virus" if scores[1] > scores[0] else "others", others, virus))
        highest = best.get(chunk, (0.0, 0.0))
        best[chunk] = max(highest[0], float(others)), max(highest[1], float(virus))
    found.chunks = [(chunk, str(virus >= others)) for chunk, (others, virus) in sorted(best.items())]
    return found


def hostile_fasta(records: int, *, seed: int, longest: int = 700) -> str:
    """FASTA that a careful tool refuses or corrects in part: short records, RNA, letters of all kinds, no id.

    Some are clean. Most have few T, so that some of their frames are open.
    """
    draw = random.Random(seed)
    lines = []
    for number in range(records):
        length = draw.choice([1, 2, 3, 5, 30, 59, 60, 61, 150, 299, 500, 501, draw.randint(1, longest)])
        letters = draw.choice(
            ["ACGT", "ACG", "ACG", "acgtACGT", "ACGU", "ACGTN", "ACGRYKM", "ACG-", "ACGTX*.", "ACG019;>"]
        )
        weights = [12 if letter.upper() in "ACG" else 3 if letter.upper() == "T" else 1 for letter in letters]
        sequence = "".join(draw.choices(letters, weights, k=length))
        if draw.random() < 0.1:
            sequence = "".join(chr(draw.choice([*range(33, 62), *range(63, 127)])) for _ in range(length))
        header = draw.choice([f"r{number}", f"r{number} with words", f" r{number}", f'"r{number}|x=1'])
        lines.append(f">{header if number else ''}")
        wide = draw.choice([60, 61, 1_000])
        # A '>' that begins a line would be a header, for the original too.
        parts = (sequence[at : at + wide] for at in range(0, length, wide))
        lines += [f"~{part[1:]}" if part.startswith(">") else part for part in parts]
        lines += draw.choice([[], [], [""], [" "]])
    return draw.choice(["\n", "\r\n"]).join(lines) + "\n"
