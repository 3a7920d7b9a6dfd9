from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.accuracy.ours import command, read
from virnucpro_tasks.cli.main import cli
from virnucpro_tasks.errors import InputError

Write = Callable[[str, str], Path]


def test_the_record_score_is_read_where_there_is_one(write: Write) -> None:
    new = "record_id\tmean_viral_score\tcall\tvirus_score\tfdr\na\t0.6\tvirus\t0.9\t0.02\nb\tNA\tNA\tNA\tNA\n"
    told = read(write("new/records.tsv", new).parent)
    assert (told.scores, told.calls, told.fdr) == ({"a": 0.9}, {"a": True, "b": False}, {"a": 0.02})
    assert told.score_name == "virus_score"
    old = read(write("old/records.tsv", "record_id\tmean_viral_score\tcall\na\t0.6\tvirus\n"))
    assert (old.scores, old.fdr, old.score_name) == ({"a": 0.6}, {}, "mean_viral_score")


def test_tables_that_cannot_be_used_are_named(write: Write) -> None:
    with pytest.raises(InputError, match="none of the columns virus_score, mean_viral_score"):
        read(write("records.tsv", "record_id\tcall\na\tvirus\n"))
    with pytest.raises(InputError, match="holds no record"):
        read(write("records.tsv", "record_id\tcall\n"))


def test_the_command_exists(tmp_path: Path) -> None:
    words = command(Path("c.fasta"), tmp_path / "out", arguments="--bundle 'my bundle' --devices cpu")
    assert words[-4:] == ["--bundle", "my bundle", "--devices", "cpu"]
    # Unknown options are refused before --help is obeyed.
    ended = CliRunner().invoke(cli, [*words[3:], "--help"])
    assert ended.exit_code == 0, ended.output
