from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.accuracy.sources import Columns, Source, read_kinds, read_sources
from virnucpro_tasks.errors import InputError

Write = Callable[[str, str], Path]


def test_records_have_what_their_row_says(labelled: tuple[Path, Path], sources: list[Source]) -> None:
    fasta, table = labelled
    assert read_sources([fasta], [table], Columns(), {}) == sources


def test_kinds_follow_from_taxa_and_groups_from_names(write: Write) -> None:
    fasta = write("a.fasta", ">one x\nACGU\n>two\nGGG\n>three\nTTT\n>unlabelled\nAAA\n")
    table = write(
        "l.tsv",
        "id\tlabel\tname\tclass\none\tvirus\tOrungo virus segment 1\tdsRNA\n"
        "two\tvirus\tOrungo virus segment 2\tother\nthree\tothers\t\tbacterium\n",
    )
    kinds = read_kinds(write("k.tsv", "taxon\tkind\ndsRNA\teukaryotic virus\nbacterium\tbacteria\n"))
    one, two, three = read_sources([fasta], [table], Columns("name", "class", " seg"), kinds)
    assert one == Source("one", b"ACGT", True, "Orungo virus", "dsRNA", "eukaryotic virus", "", "")
    assert two == replace(one, record_id="two", sequence=b"GGG", taxon="other", kind="virus")
    assert (three.group, three.kind) == ("three", "bacteria")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id\tname\n", "has no column 'label'"),
        ("id\tlabel\na\tviral\n", "label 'viral' is neither"),
        ("id\tlabel\nb\tvirus\n", "no record is named"),
        ("id\tlabel\na\tvirus\n", "has no column 'name'"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(text: str, says: str, write: Write) -> None:
    columns = Columns(group="name") if "name" in says and "named" not in says else Columns()
    with pytest.raises(InputError, match=says):
        read_sources([write("a.fasta", ">a\nACGT\n")], [write("l.tsv", text)], columns, {})


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"kinds\.tsv: cannot be read"):
        read_kinds(tmp_path / "kinds.tsv")
