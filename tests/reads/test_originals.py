"""Records taken by their number have the whole header and the letters of their file, wherever its blocks end."""

from __future__ import annotations

import io
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reads.bam_files import Read, write_bam

from virnucpro_tasks.errors import EmptyInputError, InputError
from virnucpro_tasks.reads import records
from virnucpro_tasks.reads.inputs import ReadInput, wanted_originals
from virnucpro_tasks.reads.letters import LETTERS, UPPER_DNA
from virnucpro_tasks.reads.originals import ALL_RECORDS, Original, Wanted
from virnucpro_tasks.reads.record import BYTE_ORDER_MARK, Record
from virnucpro_tasks.reads.records import read_records, read_start

FASTA = b">a first\tone \nACgu\n\nNN acg\n>b\n>c > d\nTTT"
FASTQ = b"@a first\tone \nACgu.\n+\n@>+II\n@b\n\n+\n\n@c > d\nTTT\n+\nIII"


def taken(content: bytes, *numbers: int, at_once: int = 1) -> list[Original]:
    """The originals of `numbers`, of which so many are asked for at once."""
    batches = [numbers[start : start + at_once] for start in range(0, len(numbers), at_once)]
    wanted = Wanted()
    found: list[Original] = []
    try:
        originals = read_start(io.BytesIO(content), name="in").originals(wanted)
        for batch in batches:
            wanted.set(batch)
            left = len(batch)
            while left and (some := next(originals, None)) is not None:
                assert 0 < len(some) <= left
                found += some
                left -= len(some)
    except EmptyInputError:
        return []
    return found


@pytest.mark.parametrize("content", [FASTA, FASTQ, BYTE_ORDER_MARK + b"\n \n" + FASTA, FASTA.replace(b"\n", b"\r\n")])
def test_header_and_letters_are_those_of_the_file(content: bytes) -> None:
    first, empty, last = taken(content, 0, 1, 2)
    is_fastq = content == FASTQ
    assert first == (b"a first\tone ", b"ACguN" if is_fastq else b"ACguNNacg")
    assert (empty, last) == ((b"b", b""), (b"c > d", b"TTT"))
    assert taken(content, 2) == [last] and taken(content, 0, 2) == [first, last] and taken(content, 3) == []


LINES = st.lists(
    st.sampled_from([b">a b", b">", b">c\x0b>", b"", b" ", b"\t", b"acGU", b"NN N", b">>x", b"A" * 40, b"\x00?"]),
    max_size=14,
)
READS = st.lists(
    st.sampled_from(
        [
            b"@a b\nAC.gu\n+\n@>+II\n",
            b"@b\n\n+b\n\n",
            b"\n",
            b" \n",
            b"\n\x0b\t\n\n",
            b"@+\n+ACX\n+\n+ III\n".replace(b"+ III", b"@III"),
        ]
    ),
    max_size=10,
)


@given(
    content=st.one_of(
        st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"])).map(lambda it: b">x\n" + it[1].join(it[0])),
        READS.map(b"".join),
        READS.map(lambda reads: b"".join(reads).removesuffix(b"\n")),
    ),
    block_bytes=st.integers(min_value=1, max_value=60),
    at_once=st.integers(min_value=1, max_value=5),
    data=st.data(),
)
def test_records_are_counted_as_the_reader_counts_them(
    content: bytes, block_bytes: int, at_once: int, data: st.DataObject
) -> None:
    try:
        read: list[Record] = list(read_records(io.BytesIO(content), name="in"))
    except EmptyInputError:
        read = []
    numbers = sorted(data.draw(st.sets(st.integers(min_value=0, max_value=len(read) + 1)))) or [0]
    with mock.patch.object(records, "BLOCK_BYTES", block_bytes):
        found = taken(content, *numbers, at_once=at_once)
    wanted = [read[number] for number in numbers if number < len(read)]
    assert len(found) == len(wanted)
    for original, record in zip(found, wanted, strict=True):
        assert original.header.split()[:1] == ([record.record_id] if record.record_id else [])
        assert len(original.sequence) == record.length
        if not record.problem:
            assert original.sequence.translate(UPPER_DNA) == record.sequence
            assert not original.sequence.upper().translate(None, LETTERS + b"U")


def test_inputs_are_numbered_one_after_another_and_empty_ones_have_no_number(tmp_path: Path) -> None:
    for name, content in (("a.fa", FASTA), ("empty.fa", b"\n"), ("nothing.fa", b""), ("b.fq", FASTQ)):
        (tmp_path / name).write_bytes(content)
    bam = write_bam(tmp_path / "x", Read("plus", "ACGT"), Read("again", "AC", 256), Read("minus", "AACG", 16))
    files = [*(tmp_path / name for name in ("a.fa", "empty.fa", "nothing.fa")), bam, tmp_path / "b.fq"]
    wanted = Wanted([2])
    found = wanted_originals([ReadInput(file, file.name) for file in files], wanted)
    assert [original.header for original in next(found)] == [b"c > d"]
    wanted.set([4, 5, 7])
    assert next(found) == [(b"minus", b"CGTT")]
    assert [original.header for original in next(found)] == [b"a first\tone "]
    assert [original.header for original in next(found)] == [b"c > d"]
    wanted.set([8])
    assert next(found, None) is None and wanted.passed == 8


def test_all_records_are_given_if_all_are_wanted(tmp_path: Path) -> None:
    for name, content in (("a.fa", FASTA), ("b.fq", FASTQ)):
        (tmp_path / name).write_bytes(content)
    files = [ReadInput(tmp_path / name, name) for name in ("a.fa", "b.fq")]
    found = [original for some in wanted_originals(files, Wanted(ALL_RECORDS)) for original in some]
    assert [original.header for original in found] == [b"a first\tone ", b"b", b"c > d"] * 2


def test_errors_of_a_file_name_it(tmp_path: Path) -> None:
    (tmp_path / "in.fa").write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"^in\.fa"):
        next(wanted_originals([ReadInput(tmp_path / "in.fa", "in.fa")], Wanted([0])))
