from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.jaeger import command, read
from virnucpro_tasks.errors import InputError

Write = Callable[[str, str], Path]

COLUMNS = (
    "contig_id\tlength\tprediction\tentropy\treliability_score\thost_contam\tprophage_contam\tbacteria_score\t"
    "bacteria_var\tphage_score\tphage_var\teukarya_score\teukarya_var\tarchaea_score\tarchaea_var\twindow_summary\n"
)
ROWS = (
    "c1\t9622\tphage\t0.127\t0.730\tFalse\tFalse\t-1.965\t1.3\t6.703\t2.4\t-7.020\t3.6\t-5.344\t1.3\t4V\n"
    "c2\t9275\tnon-phage\t0.203\t0.723\tFalse\tTrue\t6.285\t1.1\t0.247\t0.7\t-7.461\t2.7\t-3.883\t0.4\t4n\n"
)


def softmax(*logits: float) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum()


def test_scores_are_shares_of_the_viral_class(write: Write, tmp_path: Path) -> None:
    write("j/x_default_jaeger.tsv", COLUMNS + ROWS)
    write("j/x_default_phages_jaeger.tsv", COLUMNS + ROWS)
    told = read(tmp_path / "j")
    assert told.calls == {"c1": True, "c2": False}
    assert told.scores["c1"] == pytest.approx(softmax(-1.965, 6.703, -7.020, -5.344)[1])
    assert told.scores["c2"] == pytest.approx(softmax(6.285, 0.247, -7.461, -3.883)[1])


def test_older_tables_have_other_letters(write: Write) -> None:
    older = COLUMNS.replace("reliability", "realiability").replace("phage_score", "Phage_score")
    table = write("x_jaeger.tsv", (older + ROWS).replace("\tphage\t", "\tPhage\t"))
    told = read(table)
    assert told.calls["c1"] and told.scores["c1"] > 0.99


def test_newer_models_have_a_second_viral_class(write: Write) -> None:
    header = "contig_id\tprediction\tbacteria_score\tphage_score\tvirus_score\tplasmid_score\n"
    told = read(write("x_jaeger.tsv", header + "c1\tvirus\t0\t1\t2\t-1\nc2\tuncertain\t\t\t\t\n"))
    shares = softmax(0, 1, 2, -1)
    assert told.scores == {"c1": pytest.approx(shares[1] + shares[2])}
    assert told.calls == {"c1": True, "c2": False}


def test_a_table_without_its_columns_is_named(write: Write) -> None:
    with pytest.raises(InputError, match="has no column 'prediction'"):
        read(write("x_jaeger.tsv", "contig_id\tlength\n"))


def test_the_command_is_that_of_the_documentation() -> None:
    assert command(Path("c.fasta"), Path("out"), threads=3)[:6] == ["jaeger", "predict", "-i", "c.fasta", "-o", "out"]
