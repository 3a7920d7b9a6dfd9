"""Hostile inputs made from real sequences: each file is read or refused as the table of its collection says."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from Bio import SeqIO
from reads.reading import Reading, read_files

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.batches import ReadInput, frame_batches

REFUSED = {
    "empty.fasta": "empty.fasta: the file is empty",
    "html_error_page.fasta": "html_error_page.fasta, line 1: this is HTML or XML",
    "only_headers.fasta": "only_headers.fasta, line 1, record 'a': empty sequence",
    "protein_by_mistake.faa": "illegal character 'L' on line 2: this looks like protein",
    "sequence_before_header.fasta": "line 1: sequence data before the first header",
    "truncated.fasta.gz": "the gzip compressed data ends early",
}
STATUSES = {
    "all_n.fasta": {"scored": 1, "no_open_frame": 1},
    "blank_lines_inside.fasta": {"scored": 2},
    "crlf.fasta": {"scored": 2},
    "duplicate_ids.fasta": {"scored": 3},
    "empty_record_in_middle.fasta": {"scored": 2, "too_short": 1},
    "fastq_by_mistake.fasta": {"scored": 4, "no_open_frame": 6},
    "gaps_dashes.fasta": {"scored": 1, "invalid": 1},
    "good.fasta.bz2": {"scored": 2},
    "good.fasta.gz": {"scored": 2},
    "gz_without_suffix.fasta": {"scored": 2},
    "homopolymers.fasta": {"scored": 4},
    "id_10kB.fasta": {"scored": 2},
    "identical_records.fasta": {"scored": 12},
    "ids_spaces_tabs_slashes.fasta": {"scored": 5, "no_open_frame": 1},
    "iupac.fasta": {"scored": 2},
    "lengths_around_chunk.fasta": {"scored": 20, "no_open_frame": 13, "too_short": 5},
    "lowercase.fasta": {"scored": 2},
    "mixed_good_and_bad.fasta": {"scored": 3, "too_short": 1, "invalid": 1},
    "n_runs_and_edges.fasta": {"scored": 3},
    "no_final_newline.fasta": {"scored": 2},
    "no_orf.fasta": {"scored": 1, "no_open_frame": 1},
    "nul_bytes.fasta": {"scored": 1, "invalid": 1},
    "one_per_line.fasta": {"scored": 2},
    "rna_u.fasta": {"scored": 2},
    "trailing_gt.fasta": {"scored": 1, "invalid": 1},
    "utf8_bom.fasta": {"scored": 2},
}
"""Records by status; no_open_frame means a stop codon in every frame of every chunk."""

REASONS = {
    "gaps_dashes.fasta": (b"aligned", "illegal character '-' on line 6", 1),
    "mixed_good_and_bad.fasta": (b"bad_protein", "illegal character 'L' on line 16: this looks like protein", 15),
    "nul_bytes.fasta": (b"a", "on line 2: a NUL byte, so the file is damaged", 1),
    "trailing_gt.fasta": (b"", "empty id and empty sequence", 14),
}
"""The invalid record of each file: id, message, line of its header."""

SAME_TWO = (
    "crlf.fasta",
    "utf8_bom.fasta",
    "lowercase.fasta",
    "good.fasta.gz",
    "good.fasta.bz2",
    "gz_without_suffix.fasta",
)
IDS = [b"gi|123|ref|NC_1.1|", b"path/like/../id", b"tab", b'comma,quote"semi;', b"=1+1", b"-rf"]


BIG = {"many30": (100_000, 100_000), "big5m": (1, 10_000), "wrap1_1m": (1, 2_000), "many_contigs": (20_000, 44_935)}
"""Records and chunk rows of the generated inputs."""


def read(shared: Path, name: str) -> Reading:
    return read_files(shared / "data" / "nasty" / name)


def test_no_file_is_left_out(shared: Path) -> None:
    files = {file.name for file in (shared / "data" / "nasty").iterdir() if ".fa" in file.name}
    assert files == set(REFUSED) | set(STATUSES)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(shared: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        read(shared, name)
    assert REFUSED[name] in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", STATUSES)
def test_every_record_has_its_status(shared: Path, name: str) -> None:
    assert read(shared, name).statuses == STATUSES[name]


@pytest.mark.parametrize("name", REASONS)
def test_the_invalid_record_is_named_with_its_reason(shared: Path, name: str) -> None:
    (bad,) = (row for row in read(shared, name).chunks if row["status"] == "invalid")
    record_id, reason, line = REASONS[name]
    assert bad["record_id"] == record_id
    assert reason in bad["reason"]
    assert bad["reason"].endswith(f"(record begins on line {line})")


def test_a_record_without_sequence_is_too_short(shared: Path) -> None:
    reading = read_files(shared / "data" / "nasty" / "empty_record_in_middle.fasta", strict=True)
    (hollow,) = (row for row in reading.chunks if row["status"] == "too_short")
    assert (hollow["record_id"], hollow["record_length"]) == (b"hollow", 0)
    assert hollow["reason"] == "empty sequence (record begins on line 15)"


@pytest.mark.parametrize("name", REASONS)
def test_strict_refuses_it_by_name_and_line(shared: Path, name: str) -> None:
    record_id, reason, line = REASONS[name]
    with pytest.raises(InputError) as caught:
        read_files(shared / "data" / "nasty" / name, strict=True)
    record = f", record '{record_id.decode()}'" if record_id else ""
    assert str(caught.value).startswith(f"{name}, line {line}{record}: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", SAME_TWO)
def test_the_same_two_records_in_other_spellings(shared: Path, name: str) -> None:
    expected, found = read(shared, "no_final_newline.fasta"), read(shared, name)
    assert [row["record_length"] for row in expected.records] == [1200, 1300]
    assert found == expected


def test_u_is_read_as_t(shared: Path) -> None:
    rna = read(shared, "rna_u.fasta")
    number = next(row["record_ordinal"] for row in rna.records if row["record_id"] == b"rna")
    assert rna.frames_of(number) == read(shared, "no_final_newline.fasta").frames_of(0)


def test_lengths_without_blank_lines_and_line_ends(shared: Path) -> None:
    assert [row["record_length"] for row in read(shared, "blank_lines_inside.fasta").records] == [1000, 800]
    assert 2000 in [row["record_length"] for row in read(shared, "one_per_line.fasta").records]


def test_ids_are_never_rewritten(shared: Path) -> None:
    assert [row["record_id"] for row in read(shared, "ids_spaces_tabs_slashes.fasta").records] == IDS
    assert max(len(row["record_id"]) for row in read(shared, "id_10kB.fasta").records) >= 10_000


def test_identical_records_have_identical_frames(shared: Path) -> None:
    reading = read(shared, "identical_records.fasta")
    assert len({tuple(reading.frames_of(number)) for number in range(12)}) == 1


def make_big(shared: Path, folder: Path, kind: str) -> Path:
    script = shared / "data" / "nasty" / "make_big.py"
    subprocess.run([sys.executable, str(script), str(folder), kind], check=True)
    return folder / f"{kind}.fasta"


@pytest.mark.parametrize("kind", BIG)
def test_generated_inputs(shared: Path, tmp_path: Path, kind: str) -> None:
    source = make_big(shared, tmp_path, kind)
    batches = frame_batches([ReadInput(source, source.name)], chunk_length=500)
    chunks = pa.concat_tables(batch.chunks for batch in batches)
    columns = [chunks[name].to_pylist() for name in ("record_ordinal", "record_id", "record_length")]
    found = dict.fromkeys(zip(*columns, strict=True))
    records, rows = BIG[kind]
    assert (len(found), chunks.num_rows) == (records, rows)
    expected = [(record.id.encode(), len(record)) for record in SeqIO.parse(source, "fasta")]
    assert list(found) == [(number, *record) for number, record in enumerate(expected)]
    assert (set(chunks["status"].to_pylist()) == {"too_short"}) == (kind == "many30")


def test_every_kind_of_generated_input_is_tried(shared: Path) -> None:
    kinds = runpy.run_path(str(shared / "data" / "nasty" / "make_big.py"))["K"]
    assert set(kinds) == {*BIG, "long_header"}


def test_an_id_of_five_megabytes_is_refused_with_the_limit(shared: Path, tmp_path: Path) -> None:
    source = make_big(shared, tmp_path, "long_header")
    with pytest.raises(InputError, match=r"line 1, record 'hhh.*…': the header has 5,000,000 bytes, more than the l"):
        read_files(source)
    with source.open("ab") as handle:
        handle.write(b">next\n" + b"ACG" * 50)
    assert read_files(source).statuses == {"invalid": 1, "scored": 1}
