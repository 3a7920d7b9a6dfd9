"""Letters by the rule of the original, beside ours, in every format that has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from reads.bam_files import Read, write_bam
from reads.reference import plain_frames

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.batches import frame_batches
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.reads.letters import LETTERS, ORIGINAL_LETTERS, OUR_LETTERS, letters_of
from virnucpro_tasks.reads.tables import FRAME_NAMES


def read(file: Path, *, compat: Compat = Compat.ORIGINAL) -> tuple[list[tuple[bytes, int, str]], list[tuple[str, ...]]]:
    """Id, length and status of each row, and name, protein and nucleotides of each frame."""
    rows: list[tuple[bytes, int, str]] = []
    frames: list[tuple[str, ...]] = []
    for batch in frame_batches([ReadInput(file, file.name, compat=compat)], chunk_length=500, min_length=0):
        columns = (batch.chunks[name].to_pylist() for name in ("record_id", "record_length", "status"))
        rows += zip(*columns, strict=True)
        frames += [(FRAME_NAMES[row["frame"]], row["protein"], row["nucleotides"]) for row in batch.frames.to_pylist()]
    return rows, frames


@pytest.mark.parametrize(
    "sequence",
    [
        *("A", "ATGA", "AUGGCA", "ATG-CAGCA", "ATG*CA", "acgtacgta", "RYATGAAA", "ATGNAAC", "XXXACG", "MLEFKQ"),
        *("ACG>TGA", "12ACG34", "AC;GT", "ACG\x00GCA", "ACG\x1aGCA", "~!|{}_`ACG", "NNNNNN", "JOUZB"),
    ],
)
def test_every_ascii_letter_is_cut_and_translated_as_by_the_original(tmp_path: Path, sequence: str) -> None:
    file = tmp_path / "one.fasta"
    file.write_text(f">a\n{sequence[:4]} \n{sequence[4:]}\n")
    rows, frames = read(file)
    expected = plain_frames(sequence.upper())
    assert frames == expected
    assert rows == [(b"a", len(sequence), "scored" if expected else "no_open_frame")]


def test_an_empty_id_is_one_and_an_empty_record_stays_unscored(tmp_path: Path) -> None:
    file = tmp_path / "ids.fasta"
    file.write_text(">\nACGACG\n> \nACG\n>empty\n>b c\nACG\n>\n")
    rows, _ = read(file)
    assert [row[::2] for row in rows] == [
        *((b"", "scored"), (b"", "scored"), (b"empty", "too_short"), (b"b", "scored"), (b"", "too_short"))
    ]
    assert [row[2] for row in read(file, compat=Compat.NONE)[0]][:2] == ["invalid", "invalid"]


def test_bytes_beyond_ascii_are_invalid_by_both_rules(tmp_path: Path) -> None:
    file = tmp_path / "bytes.fasta"
    file.write_bytes(b">a\nACG\xc3\xa9ACG\n>b\nACG\n>c\n\xff\n")
    assert [row[2] for row in read(file)[0]] == ["invalid", "scored", "invalid"]


def test_a_sequence_that_begins_like_a_header_is_invalid(tmp_path: Path) -> None:
    file = tmp_path / "marks.fasta"
    file.write_text(">a\n >ACG\n>b\nACG>\n>c\n\t>\n>d\nA\n >C\n")
    assert [row[2] for row in read(file)[0]] == ["invalid", "scored", "invalid", "no_open_frame"]


def test_a_file_of_proteins_is_read_by_the_original_alone(tmp_path: Path) -> None:
    file = tmp_path / "proteins.faa"
    file.write_text("".join(f">p{number}\nMEEPQSDPSVEPPLSQETFSDLWKLLPENNVLACG\n" for number in range(20)))
    assert len(read(file)[0]) == 20
    with pytest.raises(InputError, match="file of proteins"):
        read(file, compat=Compat.NONE)


def test_fastq_and_bam_are_read_by_the_same_rule(tmp_path: Path) -> None:
    fastq = tmp_path / "reads.fastq"
    fastq.write_text("@a\nGCA-GCAGCU.CGCA\n+\nIIIIIIIIIIIIIII\n@\nACG\n+\nIII\n")
    rows, frames = read(fastq)
    assert rows == [(b"a", 15, "scored"), (b"", 3, "scored")]
    assert frames == plain_frames("GCA-GCAGCUNCGCA") + plain_frames("ACG")
    pytest.importorskip("pysam")
    bam = write_bam(tmp_path / "reads.bam", Read("r", "ACG=ACGACG"))
    assert read(bam)[0] == [(b"r", 10, "scored")]
    with pytest.raises(InputError, match="illegal character '='"):
        read(bam, compat=Compat.NONE)


def test_a_record_over_blocks_is_read_as_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "blocks.fasta"
    file.write_text(">a b\nACG-\nUUACG>GG\n\n>\nAC*G\n>c\nA\n")
    whole = read(file)
    monkeypatch.setattr("virnucpro_tasks.reads.records.BLOCK_BYTES", 3)
    assert read(file) == whole


def test_the_rules_differ_in_letters_ids_and_u() -> None:
    assert (letters_of(Compat.NONE), letters_of(Compat.ORIGINAL)) == (OUR_LETTERS, ORIGINAL_LETTERS)
    assert b"acgu.".translate(ORIGINAL_LETTERS.upper) == b"ACGU."
    assert b"acgu.".translate(OUR_LETTERS.upper_fastq) == b"ACGTN"
    assert set(LETTERS) < set(ORIGINAL_LETTERS.letters) and not set(b" \t\n\xe9") & set(ORIGINAL_LETTERS.letters)
