"""Selected records come as FASTA with the header of the input, and a changed input is noticed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.output.selection import SelectedRecord, SelectedRecords
from virnucpro_tasks.output.sequences import VirusSequences
from virnucpro_tasks.reads.inputs import ReadInput

INPUT = b">a text \nACgu\nnn\n>b\nTT\n>c\nGGG\n"
A = SelectedRecord(0, 6, 2, b"0.9", b"a")
C = SelectedRecord(2, 3, 1, b"0.512345", b"c")


def written(folder: Path, *batches: list[SelectedRecord], content: bytes = INPUT) -> bytes:
    (folder / "in.fa").write_bytes(content)
    pieces: list[bytes] = []
    with closing(VirusSequences([ReadInput(folder / "in.fa", "in.fa")], pieces.append)) as sequences:
        for batch in batches:
            sequences.add(SelectedRecords.of(batch))
    assert sequences.records == sum(map(len, batches))
    assert sequences.bases == sum(record.length for batch in batches for record in batch)
    return b"".join(pieces)


def test_each_record_is_a_header_and_a_line_of_letters(tmp_path: Path) -> None:
    expected = b">a text  virus_score=0.9 chunks=2\nACgunn\n>c virus_score=0.512345 chunks=1\nGGG\n"
    assert written(tmp_path, [A, C]) == written(tmp_path, [A], [], [C]) == expected
    assert written(tmp_path, [C]) == expected[expected.index(b">c") :]
    assert written(tmp_path) == b""


@pytest.mark.parametrize(
    "content", [INPUT.replace(b">c", b">d"), INPUT.replace(b"GGG", b"GG"), INPUT[: INPUT.index(b">c")], b"", b"\n"]
)
def test_an_input_that_was_changed_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"^in\.fa: record 3 is not 'c' with 3 bases.*the input was changed"):
        written(tmp_path, [C], content=content)
