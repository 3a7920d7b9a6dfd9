from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.labels import PARTS, Label, Labels


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "labels.tsv"
    path.write_text(text)
    return path


def test_a_table_names_label_group_and_taxon(tmp_path: Path) -> None:
    labels = Labels.read(table(tmp_path, 'id\tgroup\tlabel\ttaxon\na\tg1\tvirus\tphages\nb"\t\tothers\t\n'))
    assert labels.of("a", 0) == Label(virus=True, group="g1", taxon="phages")
    assert labels.of('b"', 5) == Label(virus=False, group='record b"', taxon="")
    assert labels.of("c", 0) is None


def test_two_files_are_viruses_and_others() -> None:
    labels = Labels.by_file()
    assert labels.of("a", 0) == Label(virus=True, group="0/a", taxon="")
    assert labels.of("a", 1) == Label(virus=False, group="1/a", taxon="")


def test_records_without_a_label_are_named(tmp_path: Path) -> None:
    labels = Labels.read(table(tmp_path, "id\tlabel\na\tvirus\n"))
    assert labels.of_all([("a", 0)], file="x.fasta") == [labels.of("a", 0)]
    with pytest.raises(InputError, match=r"x\.fasta: b has no label"):
        labels.of_all([("a", 0), ("b", 0)], file="x.fasta")
    with pytest.raises(InputError, match=r"r0, r1, r2, r3, r4 and 2 more have no label"):
        labels.of_all([(f"r{number}", 0) for number in range(7)], file="x.fasta")


def test_several_tables_are_one(tmp_path: Path) -> None:
    first, second = tmp_path / "a.tsv", tmp_path / "b.tsv"
    first.write_text("id\tlabel\tpart\na\tvirus\tjudge\n")
    second.write_text("id\tlabel\nb\tothers\n")
    labels = Labels.read(first, second)
    assert labels.of("a", 0) == Label(virus=True, group="record a", taxon="", part="test")
    assert labels.of("b", 1) == Label(virus=False, group="record b", taxon="")
    with pytest.raises(InputError, match=r"a\.tsv, line 2, record 'a': the id is there twice"):
        Labels.read(first, first)


@pytest.mark.parametrize(
    ("written", "read"), [("train", "train"), ("stop", "validation"), ("judge", "test"), ("calibrate", "calibrate")]
)
def test_words_of_older_tables_are_read(tmp_path: Path, written: str, read: str) -> None:
    label = Labels.read(table(tmp_path, f"id\tlabel\tpart\na\tvirus\t{written}\n")).of("a", 0)
    assert label is not None and label.part == read
    assert read in PARTS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\tlabel\na\tvirus\n", r"line 1: has no column 'id'"),
        ("id\tlabel\na\tvirus\nb\tphage\n", r"line 3, record 'b': label 'phage' is neither"),
        ("id\tlabel\na\tvirus\na\tothers\n", r"line 3, record 'a': the id is there twice"),
        ("id\tlabel\tpart\na\tvirus\texam\n", r"line 2, record 'a': part 'exam' is none of train, validation, cal"),
        ("id\tlabel\na\n", r"line 2, record 'a': label '' is neither"),
        ("", "has no column"),
    ],
)
def test_a_bad_table_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Labels.read(table(tmp_path, text))
    with pytest.raises(InputError, match="cannot be read"):
        Labels.read(tmp_path / "missing")
