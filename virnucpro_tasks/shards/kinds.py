"""The two kinds of sequences that have vectors; their names in files and reports."""

from __future__ import annotations

NUCLEOTIDE, PROTEIN = "nucleotide", "protein"
KINDS = (NUCLEOTIDE, PROTEIN)
