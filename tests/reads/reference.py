"""The rules of the original tool, implemented slowly, base by base, and without code of the package."""

from __future__ import annotations

from Bio.Data.CodonTable import unambiguous_dna_by_id

Frame = tuple[str, str, str]
"""Name, protein, nucleotides."""


def plain_chunks(length: int, chunk_length: int) -> list[tuple[int, int]]:
    """Start and end of each chunk: walk along the junctions."""
    if length == 0:
        return []
    count = -(-length // chunk_length)
    spare = count * chunk_length - length
    shared = spare // count
    longer = min(shared + (spare - shared * count), count - 1)
    start, bounds = 0, []
    for chunk in range(count):
        bounds.append((start, min(start + chunk_length, length)))
        start += chunk_length - (shared + 1 if chunk < longer else shared)
    return bounds


def plain_residues(strand: str, frame: int) -> str:
    """Residues of frame 1-3 of a strand, `*` for a stop; ambiguous codons give none."""
    table = unambiguous_dna_by_id[1]
    codons = [strand[at : at + 3] for at in range(frame - 1, len(strand) - 2, 3)]
    return "".join("*" if codon in table.stop_codons else table.forward_table.get(codon, "") for codon in codons)


def plain_strands(chunk: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Both strands of a chunk by the letter of their frames, F and R."""
    return ("F", chunk), ("R", chunk[::-1].translate(str.maketrans("ACGT", "TGCA")))


def plain_frames(chunk: str) -> list[Frame]:
    """The open frames of a chunk."""
    rows = []
    for direction, strand in plain_strands(chunk):
        for frame in (1, 2, 3):
            protein = plain_residues(strand, frame)
            if protein and "*" not in protein:
                rows.append((f"{direction}{frame}", protein, strand[frame - 1 : frame + 3 * len(protein)]))
    return rows


def has_codon(chunk: str) -> bool:
    """Whether any frame of a chunk has a codon without ambiguity."""
    return any(plain_residues(strand, frame) for _, strand in plain_strands(chunk) for frame in (1, 2, 3))


def plain_runs(chunk: str) -> list[Frame]:
    """The runs without a stop codon of a chunk, without the ambiguous codons around them, in the order of ties."""
    table = unambiguous_dna_by_id[1]
    rows = []
    for direction, strand in plain_strands(chunk):
        for frame in (1, 2, 3):
            runs: list[list[tuple[int, str]]] = [[]]
            for at in range(frame - 1, len(strand) - 2, 3):
                codon = strand[at : at + 3]
                if codon in table.stop_codons:
                    runs.append([])
                elif codon in table.forward_table:
                    runs[-1].append((at, table.forward_table[codon]))
            for run in filter(None, runs):
                protein = "".join(residue for _, residue in run)
                rows.append((f"{direction}{frame}", protein, strand[run[0][0] : run[-1][0] + 4]))
    return rows


def plain_segment(chunk: str, least: int) -> Frame | None:
    """The longest run of a chunk, if it has at least `least` residues."""
    best: Frame | None = None
    for row in plain_runs(chunk):
        if best is None or len(row[1]) > len(best[1]):
            best = row
    return best if best is not None and len(best[1]) >= least else None
