"""Tracks of chunk scores."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.results import record, write_tables

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.report import rows as rows_module
from virnucpro_tasks.report import tracks as tracks_module
from virnucpro_tasks.report.records import RecordRow, read_records
from virnucpro_tasks.report.rows import NEAR_BYTES
from virnucpro_tasks.report.tracks import read_tracks


def test_a_track_has_a_bar_for_each_chunk(tmp_path: Path) -> None:
    folder = write_tables(tmp_path, record(0, b"other", 0.25), record(1, b"a", 0.75, None, 0.25))
    rows = read_records(folder / "records.tsv", most_shown=5).rows
    tracks = read_tracks(folder / "chunks.tsv", rows[1:])
    assert list(tracks) == [2]
    assert [(bar.start, bar.end, bar.score, bar.is_virus, bar.status) for bar in tracks[2]] == [
        (0, 500, 0.75, True, "scored"),
        (500, 1_000, None, False, "no_open_frame"),
        (1_000, 1_500, 0.25, False, "scored"),
    ]


def test_a_long_record_has_several_chunks_in_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks_module, "MOST_BARS", 2)
    folder = write_tables(tmp_path, record(0, b"a", 1.0, 0.5, None, None, None))
    rows = read_records(folder / "records.tsv", most_shown=5).rows
    first, second = read_tracks(folder / "chunks.tsv", rows)[1]
    assert (first.start, first.end, first.score, first.is_virus) == (0, 1_500, 0.75, True)
    assert (second.start, second.end, second.score, second.status) == (1_500, 2_500, None, "no_open_frame")


def test_a_quarantined_chunk_is_told_from_one_without_a_frame(tmp_path: Path) -> None:
    folder = write_tables(tmp_path, record(0, b"a", 0.75, quarantined=True))
    rows = read_records(folder / "records.tsv", most_shown=5).rows
    assert [bar.status for bar in read_tracks(folder / "chunks.tsv", rows)[1]] == ["quarantined"]


def test_records_of_two_samples_with_one_number_are_told_apart(tmp_path: Path) -> None:
    for name, columns in (
        ("records.tsv", "record_id\tinput\trecord\tlength\tstatus\tchunks\tscored_chunks\tvirus_chunks\t"
         "scored_fraction\thighest_viral_score\tmean_viral_score\tcall\treason\tsample"),
        ("chunks.tsv", "record_id\trecord\tchunk\tstart\tend\tstatus\tmean_viral_score\tcall\tsample"),
    ):  # fmt: skip
        (tmp_path / name).write_text(columns + "\n")
    for sample, score in (("one", 0.75), ("two", 1.0)):
        with (tmp_path / "records.tsv").open("a") as handle:
            handle.write(f"a\tx\t1\t500\tscored\t1\t1\t1\t1.0000\t{score}\t{score}\tvirus\t\t{sample}\n")
        with (tmp_path / "chunks.tsv").open("a") as handle:
            handle.write(f"a\t1\t1\t0\t500\tscored\t{score}\tvirus\t{sample}\n")
    rows = read_records(tmp_path / "records.tsv", most_shown=5).rows
    tracks = read_tracks(tmp_path / "chunks.tsv", rows)
    assert {row.sample: tracks[row.place][0].score for row in rows} == {"one": 0.75, "two": 1.0}


def test_the_table_is_not_read_for_no_record(tmp_path: Path) -> None:
    assert read_tracks(tmp_path / "missing.tsv", []) == {}


@pytest.mark.parametrize("chunk", ["0", "-1", "3"])
def test_a_chunk_that_its_record_does_not_have_is_told(tmp_path: Path, chunk: str) -> None:
    folder = write_tables(tmp_path, record(0, b"a", 0.75, 0.25))
    rows = read_records(folder / "records.tsv", most_shown=5).rows
    header, first, *rest = (folder / "chunks.tsv").read_text().splitlines()
    fields = first.split("\t")
    fields[header.split("\t").index("chunk")] = chunk
    (folder / "chunks.tsv").write_text("\n".join([header, "\t".join(fields), *rest, ""]))
    with pytest.raises(InputError, match=r"chunks\.tsv: it has a chunk that its record does not have"):
        read_tracks(folder / "chunks.tsv", rows)


def many_chunks(folder: Path) -> tuple[Path, list[RecordRow]]:
    """A table of chunks of several parts, and some of its records."""
    scores = [(1 + record % 7) / 8 for record in range(4_000)]
    write_tables(folder, *(record(number, b'r"%d' % number, *[score] * 3) for number, score in enumerate(scores)))
    rows = read_records(folder / "records.tsv", most_shown=12)
    table = folder / "chunks.tsv"
    assert table.stat().st_size > 3 * NEAR_BYTES
    return table, [*rows.strongest, rows.rows[-1], rows.rows[len(rows.rows) // 2]]


def parsed_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the parts that are parsed from now on."""
    sizes = []
    plain = rows_module.csv.read_csv
    monkeypatch.setattr(
        rows_module.csv, "read_csv", lambda part, **given: sizes.append(len(part.getvalue())) or plain(part, **given)
    )
    return sizes


def test_of_a_new_table_only_the_parts_with_the_records_are_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, rows = many_chunks(tmp_path)
    sizes = parsed_bytes(monkeypatch)
    assert read_tracks(table, rows, is_new=True) == read_tracks(table, rows)
    assert 0 < sum(sizes) < table.stat().st_size
    monkeypatch.setattr(rows_module, "NEAR_BYTES", 100)
    assert read_tracks(table, rows, is_new=True) == read_tracks(table, rows)


@pytest.mark.parametrize("what", ["order", "number", "missing"])
def test_a_new_table_that_is_not_as_expected_is_read_as_a_whole(tmp_path: Path, what: str) -> None:
    table, rows = many_chunks(tmp_path)
    header, *lines = table.read_text().splitlines(keepends=True)
    if what == "order":
        lines.reverse()
    elif what == "number":
        lines[0] = lines[0].replace("\tscored\t", '\t"a\nscored"\t')
    else:
        lines = [line for line in lines if line.split("\t")[1] != str(rows[0].record)]
    table.write_text(header + "".join(lines))
    assert read_tracks(table, rows, is_new=True) == read_tracks(table, rows)
