"""FASTA of proteins, qualities or colours is told as that; single records of another kind are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from reads.reading import read_files

from virnucpro_tasks.errors import InputError

BASES = b"ACG" * 60
PROTEIN = b"MKVLATEFIQWGGPSTLLEDRNK"
PROTEINS = b"".join(b">p%d text\n%b\n" % (number, PROTEIN) for number in range(20))


def write(folder: Path, content: bytes) -> Path:
    file = folder / "in.fa"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            PROTEINS,
            "in.fa, line 1, record 'p0': this is a file of proteins, not of nucleotides: "
            "illegal character 'L' on line 2: this looks like protein; 20 of the first 20 records are such",
        ),
        (PROTEINS.lower(), "in.fa, line 1, record 'p0': this is a file of proteins"),
        (b"\n>empty\n" + PROTEINS, "in.fa, line 3, record 'p0': this is a file of proteins"),
        (b">a\n--" + PROTEIN + b"\n", "in.fa, line 1, record 'a': this is a file of proteins, not of nucleotides: ill"),
        (PROTEINS + b">n\n" + BASES, "in.fa, line 1, record 'p0': this is a file of proteins"),
        (b">a\n40 40 2\n>b\n40 40 2\n", "in.fa, line 1, record 'a': this is a file of quality values"),
        (b">a\nT0123.0\n>b\nG0123\n", "in.fa, line 1, record 'a': these are reads in colour space"),
        (b"# Title: x\n>a\nT0123.0\n", "in.fa, line 2, record 'a': these are reads in colour space"),
        (b">P1;A\ntext\n MDITIHN*\n", "in.fa, line 1: this is a PIR file"),
        (b">a\n>b\n", "in.fa, line 1, record 'a': empty sequence: the file holds headers alone"),
    ],
)
def test_a_file_is_told_as_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_files(write(tmp_path, content))
    assert str(caught.value).startswith(message)
    assert "remove the gaps" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "statuses"),
    [
        (b">n\n" + BASES + b"\n" + PROTEINS, {"scored": 1, "invalid": 20}),
        (b">p\n" + PROTEIN + b"\n>n\n" + BASES, {"scored": 1, "invalid": 1}),
        (b">q\n40 40 2\n>n\n" + BASES, {"scored": 1, "invalid": 1}),
        (b">P1;A\n" + BASES, {"scored": 1}),
        (b">a\n\n>b\n\n", {"too_short": 2}),
    ],
)
def test_records_among_nucleotides_are_left_to_the_reader(
    tmp_path: Path, content: bytes, statuses: dict[str, int]
) -> None:
    assert read_files(write(tmp_path, content)).statuses == statuses
