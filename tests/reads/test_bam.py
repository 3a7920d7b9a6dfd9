"""Reads of BAM files are those of FASTQ; what is damaged or cut off is refused with its place."""

from __future__ import annotations

import bz2
import gzip
import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from reads.bam_files import END_MARK_BYTES, Read, bam_bytes, unpacked, write_bam
from reads.reading import Row, read_files

from virnucpro_tasks.errors import BackendError, EmptyInputError, ExitCode, InputError
from virnucpro_tasks.reads.inputs import ReadInput, each_input, empty_input_error
from virnucpro_tasks.reads.record import Limits, Record

FORWARD = "ACGGTNRYACGATTTACC" * 5
REVERSED = "GGTAAATCGTRYNACCGT" * 5
"""FORWARD, reversed and complemented."""
MANY = [Read(f"r{number}", FORWARD * 3) for number in range(3_000)]


def records_of(file: Path, skipped: Counter[int] | None = None, **limits: int) -> list[Record]:
    inputs = [ReadInput(file, file.name)]
    return [record for _, records in each_input(inputs, limits=Limits(**limits), skipped=skipped) for record in records]


def written(folder: Path, content: bytes, name: str = "in.fastq") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def test_both_mates_of_a_pair_are_read_under_their_one_id(tmp_path: Path) -> None:
    file = write_bam(tmp_path / "x", Read("p/1", FORWARD, 77), Read("p/1", REVERSED, 141), Read("alone", FORWARD))
    assert [(record.record_id, record.mate) for record in records_of(file)] == [(b"p/1", 1), (b"p/1", 2), (b"alone", 0)]
    assert [row["mate"] for row in read_files(file).chunks] == [1, 2, 0]


def test_a_read_that_is_aligned_to_the_other_strand_is_turned_back(tmp_path: Path) -> None:
    file = write_bam(tmp_path / "x", Read("plus", FORWARD, 0), Read("minus", FORWARD, 16))
    assert [record.sequence.decode() for record in records_of(file)] == [FORWARD, REVERSED]


def test_a_name_that_is_no_text_is_kept_byte_for_byte(tmp_path: Path) -> None:
    content = unpacked(bam_bytes(tmp_path, Read("good", FORWARD), Read("r_ad", FORWARD)))
    file = written(tmp_path, gzip.compress(content.replace(b"r_ad", b"r\xe9ad")))
    assert [record.record_id for record in records_of(file)] == [b"good", b"r\xe9ad"]


def test_secondary_and_supplementary_alignments_are_left_out_and_counted(tmp_path: Path) -> None:
    flags = {"first": 0, "secondary": 256, "supplementary": 2048, "both": 2304, "duplicate": 1024, "failed": 512}
    file = write_bam(tmp_path / "x", *(Read(name, FORWARD, flag) for name, flag in flags.items()))
    skipped: Counter[int] = Counter()
    assert [record.record_id for record in records_of(file, skipped)] == [b"first", b"duplicate", b"failed"]
    assert skipped == {0: 3}


def row_of(file: Path, record_id: bytes) -> Row:
    (row,) = [row for row in read_files(file).chunks if row["record_id"] == record_id]
    return row


def test_a_read_without_a_usable_sequence_has_its_row(tmp_path: Path) -> None:
    file = write_bam(tmp_path / "x", Read("good", FORWARD), Read("none", ""), Read("equal", "AC=GT" * 20))
    none, equal = row_of(file, b"none"), row_of(file, b"equal")
    assert (none["status"], none["reason"], none["record_length"]) == ("too_short", "empty sequence", 0)
    assert (equal["status"], equal["record_length"]) == ("invalid", 100) and "illegal character '='" in equal["reason"]
    (good, *_), long = records_of(file, bases=80)[:1], records_of(file, bases=80)[0]
    assert good == long and "more than the limit of 80" in long.problem


def test_it_is_recognised_by_its_content_alone(tmp_path: Path) -> None:
    packed = bam_bytes(tmp_path, *MANY[:5])
    for content in (packed, unpacked(packed), gzip.compress(unpacked(packed))):
        assert len(records_of(written(tmp_path, content, "reads.fasta"))) == 5
    with pytest.raises(InputError, match=r"a BAM file inside bzip2 \(unpack it once"):
        records_of(written(tmp_path, bz2.compress(unpacked(packed))))
    with pytest.raises(InputError, match="compressed twice: gzip inside gzip"):
        records_of(written(tmp_path, gzip.compress(packed)))


def test_a_file_without_reads_is_empty_as_fastq_without_reads_is(tmp_path: Path) -> None:
    for reads, told in (
        ((), ""),
        ((Read("second", FORWARD, 256),), ", only 1 secondary or supplementary alignment"),
    ):
        file = write_bam(tmp_path / "in.bam", *reads)
        assert isinstance(empty_input_error(ReadInput(file, "in.bam")), EmptyInputError)
        with pytest.raises(EmptyInputError, match=rf"in\.bam: the BAM file holds no read{told}$"):
            read_files(file)
    skipped: Counter[int] = Counter()
    good = write_bam(tmp_path / "good.bam", Read("good", FORWARD))
    inputs = [ReadInput(file, "in.bam"), ReadInput(good, "good.bam")]
    assert [ordinal for ordinal, _ in each_input(inputs, skipped=skipped)] == [1] and skipped == {0: 1, 1: 0}
    assert empty_input_error(ReadInput(good, "good.bam")) is None
    assert [row["input_ordinal"] for row in read_files(file, good).chunks] == [1]


def refusal(file: Path) -> str:
    with pytest.raises(InputError) as caught:
        records_of(file)
    return str(caught.value)


def test_without_the_end_mark_it_counts_as_cut_off(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content = bam_bytes(tmp_path, *MANY)
    for cut in (content[:-END_MARK_BYTES], content[: len(content) // 2], content + b"more"):
        assert refusal(written(tmp_path, cut)).startswith(
            f"in.fastq: the BAM file ends at byte {len(cut):,} without the end mark"
        )
    assert capfd.readouterr() == ("", "")


def test_damage_is_told_with_the_read_before_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content = bytearray(bam_bytes(tmp_path, *MANY))
    content[len(content) // 2] ^= 0xFF
    assert "in.fastq: the BAM data is damaged or ends after alignment 1," in refusal(written(tmp_path, bytes(content)))
    whole = unpacked(bam_bytes(tmp_path, *MANY[:3]))
    assert "ends after alignment 2, behind read 'r1' (the file is damaged or was cut off" in refusal(
        written(tmp_path, gzip.compress(whole[:-5]))
    )
    joined = bam_bytes(tmp_path, *MANY[:3]) * 2
    assert "damaged or ends after alignment 3, behind read 'r2'" in refusal(written(tmp_path, joined))
    assert "the header of the BAM file is damaged" in refusal(written(tmp_path, gzip.compress(whole[:20])))
    assert capfd.readouterr() == ("", "")


def test_a_name_that_the_library_takes_for_an_address_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("s3:reads.bam", "reads.bam##idx##x", "-", os.fsdecode(b"reads\xff.bam")):
        Path(name).write_bytes(bam_bytes(tmp_path, *MANY[:2]))
        assert len(records_of(Path(name))) == 2


def test_without_pysam_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_bam(tmp_path / "x.bam", *MANY[:1])
    monkeypatch.setitem(sys.modules, "pysam", None)
    with pytest.raises(
        BackendError, match=r"x\.bam: reading BAM needs pysam.*pip install '\.\[bam\]' in a clone"
    ) as caught:
        records_of(file)
    assert caught.value.exit_code == ExitCode.USAGE


def test_the_system_is_named_if_it_refuses_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(bam_bytes(tmp_path, *MANY))
    content[len(content) // 2] ^= 0xFF
    file = written(tmp_path, bytes(content))
    opened = each_input([ReadInput(file, "in.bam")])
    _, records = next(opened)
    file.unlink()
    with pytest.raises(InputError, match=r"in\.bam: the file cannot be read: No such file"):
        list(records)


def test_a_file_that_was_closed_gives_no_more_reads(tmp_path: Path) -> None:
    opened = each_input([ReadInput(write_bam(tmp_path / "in.bam", *MANY), "in.bam")])
    _, records = next(opened)
    assert next(records).record_id == b"r0"
    opened.close()  # type: ignore[attr-defined]
    assert list(records) == []
