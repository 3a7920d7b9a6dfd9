from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.accuracy.genomad import command, read
from virnucpro_tasks.errors import InputError

Write = Callable[[str, str], Path]

SCORES = """seq_name\tchromosome_score\tplasmid_score\tvirus_score
c1\t0.0100\t0.0124\t0.9776
c2\t0.9000\t0.0600\t0.0400
c3\t0.3000\t0.0500\t0.6500
c4\t0.7000\t0.1000\t0.2000
"""
PROVIRUSES = "seq_name\tchromosome_score\tplasmid_score\tvirus_score\nc4|provirus_10_900\t0.01\t0.01\t0.98\n"
# As geNomad documents it: a provirus, and a sequence that is a virus as a whole.
SUMMARY = (
    "seq_name\tlength\ttopology\tcoordinates\tn_genes\tgenetic_code\tvirus_score\tfdr\tn_hallmarks\tmarker_enrichment\t"
    "taxonomy\n"
    "c4|provirus_10_900\t891\tProvirus\t10-900\t2\t11\t0.9800\t{fdr}\t1\t5.1\tViruses;Duplodnaviria\n"
    "c1\t5000\tNo terminal repeats\tNA\t7\t11\t0.9776\t{fdr}\t3\t12.7\tViruses;Duplodnaviria\n"
)


@pytest.fixture
def results(write: Write, tmp_path: Path) -> Path:
    folder = "g/contigs_aggregated_classification/contigs"
    write(f"{folder}_aggregated_classification.tsv", SCORES)
    write(f"{folder}_provirus_aggregated_classification.tsv", PROVIRUSES)
    write("g/contigs_summary/contigs_virus_summary.tsv", SUMMARY.format(fdr="NA"))
    return tmp_path / "g"


def test_all_sequences_have_scores_and_those_that_passed_the_filters_are_called(results: Path) -> None:
    told = read(results)
    assert told.scores == {"c1": 0.9776, "c2": 0.04, "c3": 0.65, "c4": 0.2}
    assert told.calls == {"c1": True, "c2": False, "c3": False, "c4": True}
    assert told.fdr == {}


def test_rates_of_false_discoveries_are_those_of_whole_sequences(results: Path, write: Write) -> None:
    write("g/contigs_summary/contigs_virus_summary.tsv", SUMMARY.format(fdr="0.0123"))
    assert read(results).fdr == {"c1": 0.0123}


def test_a_missing_table_is_named(results: Path) -> None:
    (results / "contigs_summary" / "contigs_virus_summary.tsv").unlink()
    with pytest.raises(InputError, match=r"0 files \*_virus_summary\.tsv"):
        read(results)


def test_the_command_is_that_of_the_documentation(tmp_path: Path) -> None:
    words = command(Path("c.fasta"), Path("out"), database=Path("genomad_db"), threads=3)
    assert words[:2] == ["genomad", "end-to-end"] and words[-3:] == ["c.fasta", "out", "genomad_db"]
