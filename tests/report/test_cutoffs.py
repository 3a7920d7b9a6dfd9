from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report.results import record, run_json, write_tables

from virnucpro_tasks.report.content import read_content
from virnucpro_tasks.report.cutoffs import kept_cutoffs, kept_score
from virnucpro_tasks.report.page import report_page

BY_SCORE = {"min_score": 0.7, "min_length": 500, "min_scored_fraction": 0.5, "max_fdr": None}
BY_RATE = {"min_score": 0.0, "min_length": 0, "min_scored_fraction": 0.0, "max_fdr": 0.05}
RATES = {
    "refusal": "",
    "prior": 0.0625,
    "prior_is": "estimated",
    "prior_standard_error": 0.01,
    "records": 321,
    "levels": {"0.05": 0.93, "0.1": None},
}
REFUSED = RATES | {"refusal": "3 records have a score; at least 200 are needed", "prior": None, "levels": {}}


def run_of(fdr: dict[str, Any] | None, **cutoffs: Any) -> dict[str, Any]:
    outputs = {"prefix": "", "report": True, "cutoffs": BY_SCORE, "rate_cutoffs": BY_RATE} | cutoffs
    changed = {"parameters": {"chunk_length": 500, "outputs": outputs}}
    return run_json(**changed, **({} if fdr is None else {"fdr": fdr}))


@pytest.mark.parametrize(
    ("fdr", "expected", "score"), [(RATES, BY_RATE, 0.93), (REFUSED, BY_SCORE, 0.7), (None, BY_SCORE, 0.7)]
)
def test_the_rate_counts_where_there_are_rates(
    fdr: dict[str, Any] | None, expected: dict[str, Any], score: float
) -> None:
    run = run_of(fdr)
    assert kept_cutoffs(run) == expected and kept_score(run, otherwise=0.5) == score


def test_a_rate_that_no_record_has_keeps_none() -> None:
    assert kept_score(run_of(RATES, rate_cutoffs=BY_RATE | {"max_fdr": 0.1}), otherwise=0.5) == 1


def test_results_without_sequences_have_no_cutoffs() -> None:
    run = run_json(parameters={"chunk_length": 500})
    assert kept_cutoffs(run) is None and kept_score(run, otherwise=0.5) == 0.5


@pytest.mark.parametrize(
    ("fdr", "text"),
    [
        (RATES, "are for 6.2 % of the records being viral, as estimated from the scores of 321 records"),
        (RATES | {"prior_is": "given"}, "as --prior says"),
        (REFUSED, "There are no false-discovery rates: 3 records have a score; at least 200 are needed."),
    ],
)
def test_the_page_tells_the_share_or_why_there_is_none(tmp_path: Path, fdr: dict[str, Any], text: str) -> None:
    run = run_of(fdr) | {"sha256": {"records.tsv": "", "chunks.tsv": "", "virus.fasta.gz": ""}}
    html = report_page(read_content(write_tables(tmp_path, record(0, b"a", 0.75)), run))
    assert text in html
    kept = "virus.fasta.gz holds the records up to a false-discovery rate of 5.0 %"
    assert (kept in html) == (fdr is not REFUSED)
