from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from virnucpro_tasks.errors import ExitCode, InputError
from virnucpro_tasks.jobs.sample_sheet import read_sample_sheet
from virnucpro_tasks.reads.inputs import ReadInput

Listed = tuple[str, str, int, int]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with files to list."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reads").mkdir()
    for name in ("a.fq", "b_1.fq", "b_2.fq", "c, d.fq"):
        (tmp_path / "reads" / name).write_text("@r\nACGT\n+\nIIII\n")
    return tmp_path


def read(content: str | bytes, name: str = "sheet.csv") -> list[ReadInput]:
    file = Path(name)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_sample_sheet(file, reserved={"records.tsv", "embeddings"})


def listed(content: str | bytes, name: str = "sheet.csv") -> list[Listed]:
    """Sample, file, mate and line of each input."""
    return [
        (source.sample, source.name, source.mate, int(source.listed.rpartition(" ")[2]))
        for source in read(content, name)
    ]


PLAIN = [("A", "reads/a.fq", 0, 2), ("B", "reads/b_1.fq", 1, 3), ("B", "reads/b_2.fq", 2, 3)]


@pytest.mark.parametrize(
    "content",
    [
        "sample,file,file2\nA,reads/a.fq,\nB,reads/b_1.fq,reads/b_2.fq\n",
        "sample,file,file2\nA,reads/a.fq\nB,reads/b_1.fq,reads/b_2.fq",
        "sample\tfile\tfile2\nA\treads/a.fq\t\nB\treads/b_1.fq\treads/b_2.fq\n",
        "sample;file;file2\nA;reads/a.fq;\nB;reads/b_1.fq;reads/b_2.fq\n",
        "sample,fastq_1,fastq_2\nA,reads/a.fq,\nB,reads/b_1.fq,reads/b_2.fq\n",
        "\ufeffSample, File ,FILE2,,\r\nA, reads/a.fq ,,,\r\nB,reads/b_1.fq,reads/b_2.fq,,\r\n,,,,\r\n",
        'file2,"sample",file\r,A,"reads/a.fq"\rreads/b_2.fq,B, "reads/b_1.fq"\r',
    ],
)
def test_tables_of_spreadsheets_and_of_nf_core_are_read_alike(content: str) -> None:
    assert listed(content) == PLAIN


def test_blank_lines_and_comments_count_as_lines_and_as_nothing_else() -> None:
    content = '# made by "me, today\n\nsample,file\n  # first\nA,reads/a.fq\n\nB,"reads/c, d.fq"\n'
    assert listed(content) == [("A", "reads/a.fq", 0, 5), ("B", "reads/c, d.fq", 0, 7)]


def test_a_sample_on_several_lines_is_one_with_all_its_files() -> None:
    content = "sample,file,file2\nB,reads/b_1.fq,reads/b_2.fq\nA,reads/a.fq\nB,reads/c\\, d.fq\n".replace("c\\, d", "x")
    Path("reads/x.fq").touch()
    assert [(sample, Path(name).name) for sample, name, *_ in listed(content)] == [
        ("B", "b_1.fq"),
        ("B", "b_2.fq"),
        ("B", "x.fq"),
        ("A", "a.fq"),
    ]


def test_relative_paths_begin_at_the_folder_of_the_sheet(folder: Path) -> None:
    assert listed("sample,file\nA,a.fq\n", "reads/sheet.tsv") == [("A", "reads/a.fq", 0, 2)]
    absolute = folder / "reads" / "a.fq"
    assert listed(f"sample,file\nA,{absolute}\n", "reads/sheet.tsv") == [("A", str(absolute), 0, 2)]


def test_a_sheet_on_standard_input_begins_at_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"sample,file\nA,reads/a.fq\n")))
    (source,) = read_sample_sheet(Path("-"), reserved=())
    assert (source.name, source.listed) == ("reads/a.fq", "standard input, line 2")


def refusal(content: str | bytes) -> str:
    with pytest.raises(InputError) as caught:
        read(content)
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "sheet.csv: the sample sheet is empty"),
        ("\n# nothing\n", "sheet.csv: the sample sheet is empty"),
        ("sample,file\n", "sheet.csv, line 1: the sample sheet lists no sample"),
        ("A,reads/a.fq\n", "sheet.csv, line 1: there is no column 'sample'"),
        ("\nsample,path\nA,reads/a.fq\n", "sheet.csv, line 2: there is no column 'file'"),
        ("sample,file,strand\nA,reads/a.fq,x\n", "sheet.csv, line 1: the column 'strand' is not known"),
        ("sample,file,fastq_1\nA,reads/a.fq,\n", "sheet.csv, line 1: there are two columns for 'file'"),
        ("sample,file\nA,reads/c, d.fq\n", "sheet.csv, line 2: there are 3 fields under 2 columns"),
        ("sample,file,\nA,reads/a.fq,x\n", "sheet.csv, line 2: there are 3 fields under 3 columns"),
        ("sample,file\n,reads/a.fq\n", "sheet.csv, line 2: the column 'sample' is empty"),
        ("sample,file,file2\nA,,reads/a.fq\n", "sheet.csv, line 2: sample 'A' has no file in the column 'file'"),
        ('sample,file\nA,"reads/a.fq\n', "sheet.csv, line 2: this is no line of a table: unexpected end"),
        ('sample,file\nA,"reads"/a.fq\n', "sheet.csv, line 2: this is no line of a table"),
        ("sample,file\nA,-\n", "sheet.csv, line 2: '-' is no file"),
        ("sample,file\nA,https://x.org/a.fq\n", "sheet.csv, line 2: https://x.org/a.fq is an address, not a file"),
        ("sample,file\nA,reads\n", "sheet.csv, line 2: reads: is a folder"),
        (b"PK\x03\x04\x00\xff", "sheet.csv: this is not text in UTF-8 (save it as CSV in UTF-8)"),
        ("sample,file\n".encode("utf-16"), "sheet.csv: this is not text in UTF-8"),
        (b"sample,file\nA,a\0b\n", "sheet.csv: this is not plain text"),
    ],
)
def test_a_faulty_sheet_is_refused_with_the_line(content: str | bytes, message: str) -> None:
    assert refusal(content).startswith(message)


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "/a", ".", "..", ".hidden", "-f", "a b", "a\\b", "a\tb", "=1+1", "x" * 201, "é" * 101, "a:b"],
)
def test_a_name_that_is_none_of_a_plain_folder_is_refused(name: str) -> None:
    message = refusal(f'file,sample\nreads/a.fq,"{name}"\n')
    assert message.startswith("sheet.csv, line 2: sample '") and "it names a folder: letters, digits" in message


@pytest.mark.parametrize("name", ["records.tsv", "RECORDS.TSV", "Embeddings"])
def test_a_sample_has_no_name_of_a_result(name: str) -> None:
    assert "the folder of results has a file of this name" in refusal(f"sample,file\n{name},reads/a.fq\n")


@pytest.mark.parametrize("name", ["S1", "0815", "Größe_µ", "a.b-c_d", "x" * 200])
def test_other_names_are_taken(name: str) -> None:
    assert listed(f"sample,file\n{name},reads/a.fq\n") == [(name, "reads/a.fq", 0, 2)]


def test_samples_that_differ_in_case_alone_are_refused() -> None:
    content = "sample,file\nLiver,reads/a.fq\nliver,reads/b_1.fq\n"
    assert refusal(content).startswith("sheet.csv, line 3: sample 'liver' differs from 'Liver' of line 2 in case alone")


def test_a_file_is_listed_once_by_whatever_name() -> None:
    Path("reads/link.fq").symlink_to("a.fq")
    for line in ("A,reads/a.fq", "B,reads/../reads/a.fq", "B,reads/link.fq"):
        content = f"sample,file\nA,reads/a.fq\n{line}\n"
        assert "line 3: " in refusal(content) and "is a file that line 2 lists already" in refusal(content)
    assert "lists already" in refusal("sample,file,file2\nA,reads/a.fq,reads/a.fq\n")


def test_all_lines_with_missing_files_are_named_at_once() -> None:
    content = "sample,file,file2\nA,reads/x.fq,reads/y.fq\nB,reads/a.fq\nC,reads/z.fq\n"
    message = refusal(content)
    assert message.startswith("sheet.csv, line 2: reads/x.fq: No such file or directory; files of other lines")
    assert "cannot be read either: 4" in message


def test_a_sheet_that_cannot_be_read_is_told() -> None:
    with pytest.raises(InputError, match=r"none\.csv: No such file"):
        read_sample_sheet(Path("none.csv"), reserved=())
    with pytest.raises(InputError, match="reads: Is a directory"):
        read_sample_sheet(Path("reads"), reserved=())


def test_a_sheet_that_has_no_folder_begins_at_the_current_one(folder: Path) -> None:
    (folder / "sheet.csv").write_text("sample,file\nA,reads/a.fq\n")
    with (folder / "sheet.csv").open("rb") as sheet:
        (source,) = read_sample_sheet(Path(f"/dev/fd/{sheet.fileno()}"), reserved=())
    assert source.path == Path("reads/a.fq")
    reader, writer = os.pipe()
    os.write(writer, b"sample,file\nA,reads/a.fq\n")
    os.close(writer)
    (source,) = read_sample_sheet(Path(f"/proc/{os.getpid()}/fd/{reader}"), reserved=())
    os.close(reader)
    assert source.path == Path("reads/a.fq")


def test_a_linked_sheet_begins_at_the_folder_of_its_link(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "sheet.csv").write_text("sample,file\nA,reads/a.fq\n")
    (folder / "staged.csv").symlink_to("elsewhere/sheet.csv")
    (source,) = read_sample_sheet(folder / "staged.csv", reserved=())
    assert source.path == folder / "reads" / "a.fq"
