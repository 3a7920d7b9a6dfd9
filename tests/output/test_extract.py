"""Sequences from tables and inputs: those of the job, of the same files alone, whatever their ids."""

from __future__ import annotations

import gzip
import os
import shutil
from io import StringIO
from pathlib import Path

import pysam
import pytest
from Bio import SeqIO
from output.results_folder import make_results, report

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.jobs.output_options import Cutoffs
from virnucpro_tasks.output.extract import extract, find_inputs, open_results
from virnucpro_tasks.reads.inputs import ReadInput, each_input

HOSTILE = [
    b"<script>alert(1)</script>",
    b"a\"b'c&lt;",
    b'"',
    b"=1+1",
    b"-2",
    b"@cmd",
    b"#comment",
    b"track",
    b">nested",
    b"a>b",
    b";x",
    b"nul\x00bell\x07escape\x1b[31m",
    b"latin\xe9\xff",
    "unicode\N{LINE SEPARATOR}\N{RIGHT-TO-LEFT OVERRIDE}x".encode(),
    b"x" * 10_000,
    b"virus_score=9",
    b"a,b|c\\n%0A",
]
EVERYTHING = Cutoffs(min_score=0.0)


def fasta(*ids: bytes) -> bytes:
    return b"".join(b">%b rest of %d\nACGTacgt\nNNUU\n" % (name, number) for number, name in enumerate(ids))


@pytest.fixture
def one(tmp_path: Path) -> Path:
    file = tmp_path / "one.fa"
    file.write_bytes(fasta(b"a", b"b", b"c"))
    return file


@pytest.fixture
def two(tmp_path: Path) -> Path:
    file = tmp_path / "two.fq"
    file.write_bytes(b"@d 1:N:0\nAC.T\n+\nIIII\n@e 2:N:0\nGGGG\n+\nIIII\n")
    return file


def extracted(results: Path, *given: Path, cutoffs: Cutoffs = EVERYTHING) -> bytes:
    pieces: list[bytes] = []
    opened = open_results(results)
    extract(opened, find_inputs(opened, given), cutoffs, pieces.append)
    return b"".join(pieces)


def ids(content: bytes) -> list[bytes]:
    return [line[1:].split()[0] for line in content.split(b"\n") if line.startswith(b">")]


def test_records_are_chosen_by_the_table_and_read_from_the_input(tmp_path: Path, one: Path, two: Path) -> None:
    results = make_results(tmp_path / "out", [one, two], [0.9, -1, 0.4, 0.7, 0.1])
    assert extracted(results, cutoffs=Cutoffs(min_score=0.5)) == (
        b">a rest of 0 virus_score=0.9 chunks=1\nACGTacgtNNUU\n>d 1:N:0 virus_score=0.7 chunks=1\nACNT\n"
    )
    assert ids(extracted(results)) == [b"a", b"c", b"d", b"e"]
    assert ids(extracted(results, cutoffs=Cutoffs(min_score=0.0, min_length=5))) == [b"a", b"c"]


def test_hostile_ids_are_read_back_by_other_programs(tmp_path: Path) -> None:
    file = tmp_path / "in.fa"
    file.write_bytes(fasta(*HOSTILE))
    content = extracted(make_results(tmp_path / "out", [file], [0.9] * len(HOSTILE)))
    (tmp_path / "virus.fasta").write_bytes(content)
    ((_, own),) = [
        (n, list(records)) for n, records in each_input([ReadInput(tmp_path / "virus.fasta", "virus.fasta")])
    ]
    assert [record.record_id for record in own] == HOSTILE
    assert [record.sequence for record in own] == [b"ACGTACGTNNTT"] * len(HOSTILE)
    by_biopython = SeqIO.parse(StringIO(content.decode("latin-1"), newline="\n"), "fasta")
    assert [(record.id.encode("latin-1"), str(record.seq)) for record in by_biopython] == [
        (name, "ACGTacgtNNUU") for name in HOSTILE
    ]
    # pysam takes a NUL for the end of a name.
    content = content.replace(b"nul\0", b"")
    (tmp_path / "virus.fasta").write_bytes(content)
    pysam.set_encoding_error_handler("surrogateescape")
    with pysam.FastxFile(str(tmp_path / "virus.fasta")) as records:
        assert [os.fsencode(record.name) for record in records] == [name.replace(b"nul\0", b"") for name in HOSTILE]


def test_files_are_known_by_their_content_in_any_order(tmp_path: Path, one: Path, two: Path) -> None:
    results = make_results(tmp_path / "out", [one, two], [0.9, 0.8, 0.7, 0.6, 0.5])
    expected = extracted(results)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for file in (one, two):
        shutil.move(file, moved)
    with pytest.raises(InputError, match=r"one\.fa: there is no such file here \(name the inputs"):
        extracted(results)
    assert extracted(results, moved / "two.fq", moved / "one.fa") == expected
    # As if the job had read it from a pipe: zcat one.fa.gz | virnucpro predict -
    packed = tmp_path / "one.fa.gz"
    packed.write_bytes(gzip.compress((moved / "one.fa").read_bytes()))
    assert extracted(results, packed, moved / "two.fq") == expected
    with pytest.raises(InputError, match=r"two\.fq: none of the files that are named has its content"):
        extracted(results, packed)


def test_a_file_that_was_changed_is_named(tmp_path: Path, one: Path, two: Path) -> None:
    results = make_results(tmp_path / "out", [one, two], [0.9, 0.8, 0.7, 0.6, 0.5])
    two.write_bytes(two.read_bytes().replace(b"GGGG", b"GGGA"))
    for given in ((), (one, two)):
        with pytest.raises(InputError, match=r"two\.fq: the results are not of this file, or it was changed since"):
            extracted(results, *given)


def test_what_can_be_read_only_once_is_refused(tmp_path: Path, one: Path) -> None:
    results = make_results(tmp_path / "out", [one], [0.9, 0.8, 0.7])
    os.mkfifo(tmp_path / "pipe")
    for given in (tmp_path / "pipe", Path("-")):
        with pytest.raises(InputError, match="it can be read only once"):
            extracted(results, given)


def test_a_sample_has_its_own_folder_and_the_joint_table_has_all(tmp_path: Path, one: Path, two: Path) -> None:
    out = tmp_path / "out"
    first = make_results(out, [one], [0.9, 0.8, 0.7], sample="s1")
    second = make_results(out, [two], [0.6, 0.5], sample="s2")
    make_results(out, [one, two], [0.9, 0.8, 0.7, 0.6, 0.5])
    report(out, {"s1": [one], "s2": [two]})
    assert ids(extracted(first)) == [b"a", b"b", b"c"] and ids(extracted(second)) == [b"d", b"e"]
    assert ids(extracted(second, one, two)) == [b"d", b"e"]
    assert extracted(out) == extracted(first) + extracted(second)


def test_a_folder_without_results_or_with_a_changed_table_is_refused(tmp_path: Path, one: Path) -> None:
    with pytest.raises(InputError, match=r"this is no folder of results: it has no run\.json"):
        open_results(tmp_path)
    results = make_results(tmp_path / "out", [one], [0.9, 0.8, 0.7])
    table = results / "records.tsv"
    header, *rows = table.read_bytes().splitlines(keepends=True)
    table.write_bytes(header + b"".join(reversed(rows)))
    with pytest.raises(InputError, match=r"records\.tsv: it is not as it was written"):
        open_results(results)
    report(results, {"": [one]})
    with pytest.raises(InputError, match="record 1 is not 'c' with 12 bases"):
        extracted(results)
    with pytest.raises(InputError, match=r"run\.json lists no elsewhere/records\.tsv"):
        open_results(results / "elsewhere")
    table.unlink()
    report(results, {"": [one]})
    with pytest.raises(InputError, match="nothing was scored"):
        open_results(results)
