"""Hostile input through the whole path: a documented exit code, a message, never a traceback, and the next job runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from output.tables import read_table
from service.deployment import Deployment

pytestmark = pytest.mark.service

REFUSED = {
    "empty.fasta": "the file is empty",
    "html_error_page.fasta": "HTML",
    "only_headers.fasta": "line 1, record 'a': empty sequence",
    "protein_by_mistake.faa": "'L' on line 2: this looks like protein",
    "sequence_before_header.fasta": "line 1: sequence data before the first header",
    "truncated.fasta.gz": "compressed data ends early",
    "long_header.fasta": "5,000,000 bytes",
}
"""Files that fail their job (exit code 3), and what the message says beside the file's name."""

INCOMPLETE = {
    "gaps_dashes.fasta": "record 'aligned': illegal character '-'",
    "mixed_good_and_bad.fasta": "record 'bad_protein': illegal character",
    "nul_bytes.fasta": "record 'a': illegal character",
    "trailing_gt.fasta": "empty id",
}
"""Files of which some records are invalid (exit code 6), and what is said of these."""

RECORDS = {
    "many30.fasta": {"too_short": 100_000},
    "big5m.fasta": {"scored": 1},
    "wrap1_1m.fasta": {"scored": 1},
    "identical_records.fasta": {"scored": 12},
    "duplicate_ids.fasta": {"scored": 3},
    "all_n.fasta": {"scored": 1, "no_open_frame": 1},
    "empty_record_in_middle.fasta": {"scored": 2, "too_short": 1},
}


@pytest.fixture(scope="module")
def inputs(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    big = tmp_path_factory.mktemp("big")
    folder = shared / "data" / "nasty"
    kinds = [Path(name).stem for name in (*RECORDS, *REFUSED) if not (folder / name).exists()]
    subprocess.run([sys.executable, str(folder / "make_big.py"), str(big), *kinds], check=True)
    return [*sorted(folder.glob("*.fa*")), *sorted(big.iterdir())]


def test_every_hostile_file_ends_as_documented(serving: Deployment, inputs: list[Path], tmp_path: Path) -> None:
    assert len(inputs) >= 36
    for file in inputs:
        expected = 3 if file.name in REFUSED else 6 if file.name in INCOMPLETE else 0
        said = serving.messages("submit", str(file), "--output", str(tmp_path / file.name), expect=expected)
        assert (REFUSED | INCOMPLETE).get(file.name, "") in said, file.name
        assert (tmp_path / file.name).exists() == (expected != 3)
        if expected:
            assert str(file) in said
        if file.name in RECORDS:
            statuses = [row["status"] for row in read_table(tmp_path / file.name / "records.tsv")]
            assert {status: statuses.count(status) for status in set(statuses)} == RECORDS[file.name], file.name


def test_identical_records_have_equal_scores(serving: Deployment, shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "nasty" / "identical_records.fasta"
    serving.run("submit", str(source), "--output", str(tmp_path / "out"))
    assert len({row["mean_viral_score"] for row in read_table(tmp_path / "out" / "records.tsv")}) == 1


def test_the_same_sequences_written_in_other_ways_have_equal_scores(
    serving: Deployment, shared: Path, tmp_path: Path
) -> None:
    scores = set()
    for name in ("no_final_newline.fasta", "crlf.fasta", "utf8_bom.fasta", "lowercase.fasta", "good.fasta.gz"):
        serving.run("submit", str(shared / "data" / "nasty" / name), "--output", str(tmp_path / name))
        rows = read_table(tmp_path / name / "records.tsv")
        scores.add(tuple((row["record_id"], row["length"], row["mean_viral_score"]) for row in rows))
    assert len(scores) == 1
