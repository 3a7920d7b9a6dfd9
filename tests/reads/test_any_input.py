"""Generated inputs: no error but InputError, no record lost, and no influence of blocks, line ends or compression."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from reads.reading import Reading, read_files
from reads.zstd_files import zstd_bytes

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads import records as module
from virnucpro_tasks.reads.records import Limits, Record, read_records

SMALL = Limits(header_bytes=12, bases=40, fastq_record_bytes=10_000, kept_id_bytes=4)
LARGER = Limits(header_bytes=12, bases=200)
COMPRESSED: tuple[Callable[[bytes], bytes], ...] = (
    bytes,
    gzip.compress,
    bz2.compress,
    lzma.compress,
    zstd_bytes,
)

# Pieces that are hard for readers of sequences, in any order.
LINES = [b"\n", b"\r", b"\r\n", b" ", b"\t", b">", b"\n>", b"@", b"\n@", b"+", b"\n+\n"]
LETTERS = [b"ACGT", b"acgu", b"NNN", b"RYK", b"GGC" * 15, b"id", b"id text", b"IIII"]
FOREIGN = [b"\0", b"\xef\xbb\xbf", b";", b"*", b"-", b"7", b"MKL", b"\xff", b"\x1f\x8b"]
soup = st.lists(st.sampled_from(LINES + LETTERS + FOREIGN), max_size=30).map(b"".join)
bodies = st.lists(st.sampled_from([b"ACGT", b"GGC" * 7, b"nru", b"-", b"\n", b" ", b""]), max_size=5).map(b"".join)
shaped = st.lists(bodies.map(lambda body: b">id text\n" + body), min_size=1, max_size=5).map(b"\n".join)
fasta_soup = st.one_of(soup.map(lambda rest: b">" + rest), shaped)
line_ends = st.lists(st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=1, max_size=3)


def records_of(content: bytes, *, block_bytes: int = module.BLOCK_BYTES) -> list[Record] | str:
    """The records of a stream read in blocks of this size, or the message that refuses it."""
    with mock.patch.object(module, "BLOCK_BYTES", block_bytes):
        try:
            return list(read_records(io.BytesIO(content), name="in.seq", limits=SMALL))
        except InputError as error:
            return str(error)


def plain_fasta(content: bytes) -> list[tuple[bytes, int, bytes]]:
    """Header, its line and the sequence of each record, parsed line by line without code of the package."""
    found: list[tuple[bytes, int, bytes]] = []
    for number, line in enumerate(content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"), 1):
        if line.startswith(b">"):
            found.append((line[1:], number, b""))
        else:
            header, first, sequence = found[-1]
            found[-1] = header, first, sequence + b"".join(line.split()).upper().replace(b"U", b"T")
    return found


@settings(max_examples=300, deadline=None)
@given(fasta_soup)
def test_fasta_equals_its_plain_reading(content: bytes) -> None:
    assume(not content.startswith(b">\0"))
    found = records_of(content)
    assert not isinstance(found, str)
    expected = plain_fasta(content)
    assert [(record.line, record.length) for record in found] == [(line, len(seq)) for _, line, seq in expected]
    for record, (header, _, sequence) in zip(found, expected, strict=True):
        words = header.split()
        legal = not sequence.translate(None, b"ACGTNRYKMSWBDHV")
        fine = bool(words) and legal and len(header) <= SMALL.header_bytes and len(sequence) <= SMALL.bases
        assert (record.problem == "") == fine
        assert record.sequence == (sequence if fine else b"")
        assert record.record_id == b"".join((words if len(header) <= SMALL.header_bytes else header[:4].split())[:1])


@settings(max_examples=200, deadline=None)
@given(st.one_of(soup, fasta_soup, soup.map(lambda rest: b"@" + rest)), st.sampled_from([b"\r", b"\r\n"]))
@example(b"@a\n\n+\n", b"\r")
def test_line_ends_have_no_influence(content: bytes, line_end: bytes) -> None:
    lines = content.replace(b"\r", b"")
    assert records_of(lines.replace(b"\n", line_end)) == records_of(lines)


@settings(max_examples=300, deadline=None)
@given(st.one_of(soup, fasta_soup, soup.map(lambda rest: b"@" + rest)), st.integers(4, 40))
def test_blocks_of_any_size_give_the_same(content: bytes, block_bytes: int) -> None:
    """Blocks have at least four bytes, for a byte order mark and one byte more."""
    assume(not content.startswith((b">\0", b"@\0")))
    found, expected = records_of(content, block_bytes=block_bytes), records_of(content)
    if isinstance(expected, str) or isinstance(found, str):
        assert isinstance(found, str) == isinstance(expected, str)
        return

    def seen(records: list[Record]) -> list[tuple[object, ...]]:
        # The text after the place of an illegal letter is a guess from the letters in the block.
        return [(*record._replace(problem=""), record.problem.partition(": ")[0]) for record in records]

    assert seen(found) == seen(expected)


names = st.text("abcXYZ019|._-", min_size=1, max_size=6)
reads = st.lists(st.tuples(names, st.text("ACGTNRYacgtnu", min_size=1, max_size=40)), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(reads, line_ends, st.integers(4, 60), st.data())
def test_fastq_in_any_spelling(
    reads: list[tuple[str, str]], ends: list[bytes], block: int, data: st.DataObject
) -> None:
    lines: list[bytes] = []
    for name, sequence in reads:
        quality = data.draw(st.text("@+>I#", min_size=len(sequence), max_size=len(sequence)))
        lines += [f"@{name} text".encode(), sequence.encode(), b"+", quality.encode()]
    content = b"".join(line + ends[number % len(ends)] for number, line in enumerate(lines))
    for spelling in (content, content.rstrip(b"\r\n"), b"\n\n" + content + b"\r\n \n"):
        found = records_of(spelling, block_bytes=block)
        assert not isinstance(found, str)
        assert [(record.record_id.decode(), record.sequence.decode()) for record in found] == [
            (name, sequence.upper().replace("U", "T")) for name, sequence in reads
        ]


@settings(max_examples=150, deadline=None)
@given(st.one_of(soup, fasta_soup), st.sampled_from(COMPRESSED), st.integers(0, 400), st.integers(1, 60))
def test_whatever_it_is_it_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory,
    content: bytes,
    compress: Callable[[bytes], bytes],
    cut: int,
    batch_bases: int,
) -> None:
    packed = compress(content)
    file = tmp_path_factory.mktemp("reads") / "in.seq"
    file.write_bytes(packed[: len(packed) - cut] if cut % 3 == 0 and cut < len(packed) else packed)

    def outcome(**options: int) -> Reading | str:
        try:
            return read_files(file, chunk_length=9, min_length=5, limits=LARGER, **options)
        except InputError as error:
            assert error.file == "in.seq"
            return str(error)

    assert outcome(batch_bases=batch_bases) == outcome()


@pytest.mark.parametrize("compress", COMPRESSED[1:])
def test_no_cut_of_a_compressed_file_passes_for_the_whole(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    packed = compress(b"".join(b"@r%d\n%b\n+\n%b\n" % (n, b"ACG" * 30, b"I" * 90) for n in range(40)))
    file = tmp_path / "in.seq"
    for end in range(1, len(packed)):
        file.write_bytes(packed[:end])
        with pytest.raises(InputError, match=r"^in\.seq"):
            read_files(file)
