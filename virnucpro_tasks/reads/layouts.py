"""Text formats that begin with neither '>' nor '@', told by the layout of their first lines."""

from __future__ import annotations

import re

SAMPLE_BYTES = 64 * 1024
_ALIGNMENT_HINT = """make FASTA of it first: awk -F '\\t' '{{print ">" $1 "\\n" $10}}' {file} > reads.fasta"""
_ANNOTATION_HINT = "give the FASTA file that it annotates"
_VARIANTS_HINT = "variants hold no sequences to score"
_NO_SEQUENCES_HINT = "give the FASTA or FASTQ file"
_TABLE_HINT = "FASTA begins with '>', FASTQ with '@'"
_GFA_HINT = """make FASTA of it first: awk '$1 == "S" {{print ">" $2 "\\n" $3}}' {file} > contigs.fasta"""
_COLUMN_HINT = """make FASTA of it first: awk -F '\\t' '{{print ">" $1 "\\n" ${column}}}' {file} > converted.fasta"""

#: (pattern at the first character that is no white space, name of the format, hint)
_BEGINNINGS: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (
        re.compile(rb"version https://git-lfs"),
        "a pointer of Git LFS, not the file that it stands for",
        "fetch that: git lfs pull",
    ),
    (re.compile(rb"[\[{]\s*[\[\]{}\"\d]"), "JSON", _NO_SEQUENCES_HINT),
    (
        re.compile(rb"\d+[ \t]+\d+[ \t]*\n"),
        "a PHYLIP alignment",
        "make FASTA without gaps of it first, for example with EMBOSS: degapseq phylip::{file} converted.fasta",
    ),
    (re.compile(rb"H\tVN:Z:|S\t[^\t\n]+\t[ACGTNacgtn*]"), "an assembly graph (GFA)", _GFA_HINT),
    (re.compile(rb"(track|browser) "), "a track of a genome browser", _ANNOTATION_HINT),
    (re.compile(rb"(HEADER|ATOM  |HETATM) |data_\w+\s*\n"), "a structure (PDB or mmCIF)", _NO_SEQUENCES_HINT),
    (re.compile(rb"\([^\n]*;\s*(\n|$)"), "a tree (Newick)", _NO_SEQUENCES_HINT),
)
_CIGAR = re.compile(rb"\*|(\d+[MIDNSHP=X])+")
_BASES = re.compile(rb"[ACGTUNacgtun]{20,}")
_SEPARATORS = b",;"


def layout_of(text: bytes) -> tuple[str, str] | None:
    """Name of the format that `text` begins like, and a hint in which {file} stands for the file's name."""
    sample = text[:SAMPLE_BYTES]
    for pattern, what, hint in _BEGINNINGS:
        if pattern.match(sample):
            return what, hint
    lines = [line for line in sample.split(b"\n") if line.strip() and not line.startswith(b"#")][:2]
    return _table_of(lines[0].split(b"\t")) if lines and b"\t" in lines[0] else None


def separated_by(text: bytes) -> str:
    """`tab`, `comma` or `semicolon` if the first two lines have as many of them, at least one; otherwise empty."""
    first, second, *_ = *text[:SAMPLE_BYTES].split(b"\n", 2), b"", b""
    for separator, word in ((b"\t", "tab"), (b",", "comma"), (b";", "semicolon")):
        if first.count(separator) and first.count(separator) == second.count(separator):
            return word
    return ""


def column_hint(text: bytes) -> str:
    """The hint for a tab-separated table: the command that makes FASTA of it if a column holds bases."""
    second = (*text[:SAMPLE_BYTES].split(b"\n", 2), b"", b"")[1]
    for number, field in enumerate(second.split(b"\t"), start=1):
        if number > 1 and _BASES.fullmatch(field):
            return _COLUMN_HINT.replace("{column}", str(number))
    return _TABLE_HINT


def _table_of(columns: list[bytes]) -> tuple[str, str] | None:
    """The tab-separated format that has such a line."""

    def are_numbers(*places: int) -> bool:
        return all(place < len(columns) and columns[place].strip().isdigit() for place in places)

    if len(columns) >= 11 and are_numbers(1, 3) and _CIGAR.fullmatch(columns[5]):
        return "a SAM file", _ALIGNMENT_HINT
    if len(columns) >= 12 and are_numbers(1, 2, 3) and columns[4] in (b"+", b"-"):
        return "a PAF file", "give the FASTA or FASTQ file that was mapped"
    if len(columns) == 9 and are_numbers(3, 4) and columns[6] in (b"+", b"-", b".", b"?"):
        return "a GFF or GTF file", _ANNOTATION_HINT
    if len(columns) in (5, 6) and are_numbers(*range(1, len(columns))):
        return "an index of a FASTA or FASTQ file (.fai)", "give the file that it belongs to"
    if len(columns) >= 8 and are_numbers(1) and columns[3].isalpha() and not are_numbers(2):
        return "a VCF file", _VARIANTS_HINT
    if len(columns) >= 3 and are_numbers(1, 2):
        return "a BED file", "give the FASTA file whose places it lists"
    return None
