"""`classify` runs a job as the command line does, and raises the error that this ends with."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqRecord import SeqRecord
from job import SAMPLE

import virnucpro_tasks
from virnucpro_tasks import classification
from virnucpro_tasks.classification import Options, _flags, _header, _paths, classify
from virnucpro_tasks.cli.earlier_options import EARLIER_OPTIONS
from virnucpro_tasks.cli.main import cli
from virnucpro_tasks.cli.predict import command as predict
from virnucpro_tasks.errors import (
    BackendError,
    ExitCode,
    InputError,
    JobError,
    OutputError,
    SettingsError,
    VirnucproError,
)
from virnucpro_tasks.results import Results

ARGUMENTS_OF_CLASSIFY = {"--bundle", "--output", "--quiet", "--input"}
CHOSEN_BY_CLASSIFY = {"--incomplete-ok", "--json"}
WITHOUT_RESULTS = {"--dry-run"}
OF_A_SHELL = {"--exit-codes", "--import", "--log-file", "--verbose"}
OF_EARLIER_VERSIONS = {option.flags[-1] for option in EARLIER_OPTIONS}
"""For command lines that are there already; there is no such Python code."""


def test_options_are_those_of_the_command_line() -> None:
    commands = [*predict.params, *cli.params]
    flags = {max(one.opts, key=len) for one in commands if one.param_type_name == "option"} - {"--version"}
    named = {"--output" if flag == "--output-dir" else flag for flag in flags}
    assert {f"--{name.replace('_', '-')}" for name in Options.__annotations__} == (
        named - ARGUMENTS_OF_CLASSIFY - CHOSEN_BY_CLASSIFY - WITHOUT_RESULTS - OF_A_SHELL - OF_EARLIER_VERSIONS
    )


def test_keywords_become_flags() -> None:
    options = {"min_length": 0, "strict": True, "allow_empty": False, "samples": Path("a b.tsv"), "threads": None}
    assert _flags(options) == ["--min-length=0", "--strict", "--samples=a b.tsv"]
    with pytest.raises(TypeError, match="no option 'lenght'"):
        classify(SAMPLE, lenght=3)  # type: ignore[call-arg]


def test_inputs_are_paths_or_records(tmp_path: Path) -> None:
    record = SeqRecord(Seq("ACGT"), id="a", description="a  of one")
    file = io.BytesIO()
    assert _paths("a.fa", file) == ["a.fa"]
    assert _paths([Path("a.fa"), "-"], file) == ["a.fa", "./-"]
    assert _paths((), file) == []
    assert file.getvalue() == b""
    assert _paths(record, file) == ["-"] == _paths(iter([record]), io.BytesIO())
    assert file.getvalue() == b">a  of one\nACGT\n"
    for mixed in ([record, "a.fa"], ["a.fa", record], [record.seq], [3]):
        with pytest.raises(TypeError, match="not both"):
            _paths(mixed, io.BytesIO())


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (SeqRecord(Seq("A")), "record 1: its id '<unknown id>' is not one word .*record.id"),
        (SeqRecord(Seq("A"), id=""), "not one word"),
        (SeqRecord(None, id="a"), "it has no sequence"),
        (SeqRecord(Seq(None, 5), id="a"), "its sequence is not defined"),
    ],
)
def test_a_record_that_cannot_be_written_is_named(record: SeqRecord, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        _paths([record], io.BytesIO())


@pytest.mark.parametrize(
    ("description", "header"),
    [("", "a"), ("<unknown description>", "a"), ("a", "a"), ("a b", "a b"), ("ab c", "a ab c"), ("b\nc", "a b c")],
)
def test_headers_are_those_that_biopython_writes(description: str, header: str) -> None:
    assert _header("a", description) == header


@pytest.mark.parametrize("record_id", ["a", "no\xa0break", "a\x1cb", "\x85", "\u2028", "=1\udcff"])
@pytest.mark.parametrize("rest", ["", " b", "\tb\tc", "  two  spaces", " \xa0", " x\u2028y", " x\x0by\x1c\x85"])
def test_a_header_that_was_read_is_written_unchanged(record_id: str, rest: str) -> None:
    assert _header(record_id, record_id + rest) == record_id + rest


@pytest.mark.parametrize(("description", "header"), [(" ", "a"), ("\n", "a"), ("a\r\n>b ", "a >b"), ("\xa0", "a \xa0")])
def test_white_space_alone_is_no_description(description: str, header: str) -> None:
    assert _header("a", description) == header


@pytest.mark.service
def test_records_are_classified_into_a_folder_that_lives_as_long_as_the_results(
    capfd: pytest.CaptureFixture,
) -> None:
    records = list(SeqIO.parse(SAMPLE, "fasta"))[:2]
    records[1].id = "=1+\udcff"
    results = classify((record for record in records), bundle="demo", min_length=100, prefix="S_")
    assert isinstance(results, Results) and virnucpro_tasks.classify is classify
    assert capfd.readouterr() == ("", "")
    assert results.records()["record_id"].tolist() == [record.id for record in records]
    assert results.records()["length"].tolist() == [len(record) for record in records]
    assert set(results.records()["input"]) == {"standard input"}
    assert results.run["parameters"]["min_length"] == 100
    results.verify()
    folder = results.folder
    assert folder.is_dir()
    del results
    gc.collect()
    assert not folder.parent.exists()


@pytest.mark.service
@pytest.mark.usefixtures("forks")
def test_a_file_is_classified_while_an_event_loop_runs_and_records_without_a_score_are_no_error(tmp_path: Path) -> None:
    short = tmp_path / "short.fa"
    short.write_text(">a\nAXC\n>b\n" + "ACGGT" * 20 + "\n")

    async def notebook() -> Results:
        return classify(short, bundle="demo", output=tmp_path / "out")

    results = asyncio.run(notebook())
    assert results.is_incomplete and results.folder == tmp_path / "out"
    with pytest.raises(OutputError, match="already holds results") as raised:
        classify(short, bundle="demo", output=tmp_path / "out")
    assert raised.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("inputs", "options", "kind", "message"),
    [
        ("nowhere.fa", {}, InputError, r"nowhere\.fa: No such file"),
        ((), {}, SettingsError, "no input file is given"),
        (SAMPLE, {"dialect": "klingon"}, SettingsError, "Invalid value for '--dialect'"),
        (SAMPLE, {"devices": "gpu:99"}, BackendError, "gpu:99|GPU"),
        (SAMPLE, {"bundle": "nowhere"}, VirnucproError, "nowhere"),
    ],
)
@pytest.mark.usefixtures("forks")
def test_errors_are_those_of_the_command(
    inputs: object, options: dict[str, str], kind: type[VirnucproError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        classify(inputs, output=tmp_path / "out", **{"bundle": "demo"} | options)  # type: ignore[arg-type]
    assert not (tmp_path / "out" / "run.json").exists()


@pytest.mark.service
@pytest.mark.usefixtures("forks")
def test_a_job_that_fails_is_an_error_with_its_exit_code(tmp_path: Path) -> None:
    late = tmp_path / "late.fa"
    late.write_text(">a\n" + "ACGGT" * 20 + "\n>b\nAXC\n")
    with pytest.raises(InputError, match=r"late\.fa, line 3") as raised:
        classify(late, bundle="demo", strict=True)
    assert raised.value.exit_code == ExitCode.BAD_INPUT


def test_a_command_that_is_killed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    monkeypatch.setattr(classification, "isolated_command", lambda *words: killed)
    with pytest.raises(JobError, match="was killed by SIGKILL"):
        classify(SAMPLE, bundle="demo")


def test_an_interruption_stops_the_command_and_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import pathlib, signal, sys, time\n"
        "try:\n"
        f"    pathlib.Path({str(tmp_path / 'began')!r}).touch(); time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        f"    pathlib.Path({str(tmp_path / 'stopped')!r}).touch(); sys.exit(130)\n"
    )
    monkeypatch.setattr(classification, "isolated_command", lambda *words: [sys.executable, "-c", code])

    def interrupt() -> None:
        while not (tmp_path / "began").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        classify(SAMPLE, bundle="demo", output=tmp_path / "out")
    thread.join()
    assert (tmp_path / "stopped").exists()


@pytest.mark.usefixtures("forks")
def test_progress_is_shown_if_it_is_asked_for(capfd: pytest.CaptureFixture, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        classify(tmp_path, bundle="demo", output=tmp_path / "out", quiet=False)
    assert "Traceback" not in capfd.readouterr().err


def test_it_needs_no_standard_input() -> None:
    code = (
        "import virnucpro_tasks\nfrom virnucpro_tasks.errors import InputError\n"
        "try:\n    virnucpro_tasks.classify('nowhere.fa', bundle='demo')\nexcept InputError: pass\n"
    )
    subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, check=True)
