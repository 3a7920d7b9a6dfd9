"""Text formats are told by their first lines."""

from __future__ import annotations

import pytest

from virnucpro_tasks.reads.layouts import column_hint, layout_of, separated_by

BASES = b"ACGTTGCA" * 4


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a pointer of Git LFS"),
        (b'{"a": 1}\n', "JSON"),
        (b"[[1, 2]]", "JSON"),
        (b"2 10\nA         ACGTACGTAC\n", "a PHYLIP alignment"),
        (b"S\t1\tACGT\n", "an assembly graph (GFA)"),
        (b"track type=bedGraph\n", "a track of a genome browser"),
        (b"HEADER    HYDROLASE\n", "a structure"),
        (b"((a:0.1,b:0.2):0.1);\n", "a tree (Newick)"),
        (b"r\t0\tc\t1\t60\t4M\t*\t0\t0\tACGT\tIIII\n", "a SAM file"),
        (b"q\t100\t0\t100\t+\tt\t100\t0\t100\t90\t100\t60\n", "a PAF file"),
        (b"c\t.\tgene\t1\t2\t.\t+\t.\tID=x\n", "a GFF or GTF file"),
        (b"#made by x\nc\t.\tgene\t1\t2\t.\t+\t.\tID=x\n", "a GFF or GTF file"),
        (b"c\t1000\t6\t60\t61\n", "an index of a FASTA or FASTQ file"),
        (b"c\t100\trs1\tA\tG\t50\tPASS\tDP=1\n", "a VCF file"),
        (b"c\t0\t100\tname\n", "a BED file"),
    ],
)
def test_a_format_is_named(text: bytes, what: str) -> None:
    found = layout_of(text)
    assert found is not None and found[0].startswith(what)
    assert found[1].format(file="x")


@pytest.mark.parametrize("text", [b"Hello\n", b"id\tsequence\n", b"{", b"(no tree", b"", b"1 ACGT\n", b"a,b\n1,2\n"])
def test_nothing_is_guessed(text: bytes) -> None:
    assert layout_of(text) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (b"id\tseq\na\tACGT\n", "tab"),
        (b"id,seq\na,ACGT\n", "comma"),
        (b"id;seq\na;ACGT", "semicolon"),
        (b"Dear all,\nhello\n", ""),
        (b"", ""),
    ],
)
def test_a_table_is_told_by_equal_numbers_of_separators(text: bytes, word: str) -> None:
    assert separated_by(text) == word


def test_the_command_for_a_table_takes_the_column_of_bases() -> None:
    hint = column_hint(b"id\tlength\tseq\na\t32\t" + BASES + b"\n").format(file="x.tsv")
    assert """awk -F '\\t' '{print ">" $1 "\\n" $3}' x.tsv > converted.fasta""" in hint
    assert "awk" not in column_hint(b"id\tlength\na\t32\n")
