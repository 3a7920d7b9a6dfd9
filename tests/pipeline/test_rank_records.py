"""False-discovery rates of a job: the same however it is cut, told with their share, and refused with a reason."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fitted import VALUES, fitted_bundle
from job import SAMPLE, embed, make_job, run_job
from output.tables import read_table

from virnucpro_tasks.classifier import class_prior
from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.errors import DamagedError, SettingsError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.output_options import output_options
from virnucpro_tasks.jobs.sample_sheet import read_sample_sheet
from virnucpro_tasks.pipeline import rank_records
from virnucpro_tasks.pipeline.rank_records import job_false_discoveries
from virnucpro_tasks.pipeline.repair import repair
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan

pytestmark = pytest.mark.usefixtures("known_sequences")

PRIOR = 0.2


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted_bundle(tmp_path_factory.mktemp("fitted") / "bundle")


@pytest.fixture
def fitted(settings: Settings, bundle: Path) -> Settings:
    return replace(settings, bundle=str(bundle))


def finished(settings: Settings, **outputs: Any) -> Job:
    job = make_job(settings, SAMPLE, outputs=output_options(**outputs))
    run_job(job, settings)
    return job


def rows_of(job: Job) -> list[dict[str, str]]:
    return read_table(job.paths.results / "records.tsv")


def report_of(job: Job) -> dict[str, Any]:
    return json.loads(job.paths.run.read_text())


def test_rates_of_a_given_share_follow_from_the_scores(fitted: Settings) -> None:
    job = finished(fitted, prior=PRIOR, max_fdr=0.3)
    rows = [row for row in rows_of(job) if row["status"] == "scored"]
    odds = [float(row["virus_score"]) / (1 - float(row["virus_score"])) * PRIOR / (1 - PRIOR) for row in rows]
    for row, own in zip(rows, odds, strict=True):
        wrong = [1 / (1 + one) for one in odds if one >= own]
        # Within the width of a bin.
        assert float(row["fdr"]) == pytest.approx(sum(wrong) / len(wrong), abs=0.01)
    assert all(row["fdr"] == "NA" for row in rows_of(job) if row["status"] != "scored")
    chosen = [row["record_id"] for row in rows if float(row["fdr"]) <= 0.3]
    lines = gzip.decompress((job.paths.results / "virus.fasta.gz").read_bytes()).splitlines()[::2]
    assert 0 < len(chosen) < len(rows) and [line.split()[0][1:].decode() for line in lines] == chosen
    summary = {row["seq_name"]: row["fdr"] for row in read_table(job.paths.results / "virus_summary.tsv")}
    assert summary == {row["record_id"]: row["fdr"] for row in rows if row["call"] == "virus"}
    told = report_of(job)["fdr"]
    assert (told["refusal"], told["prior"], told["prior_is"], told["records"]) == ("", PRIOR, "given", len(rows))
    assert list(told["levels"]) == ["0.05", "0.1", "0.2", "0.3"]


@pytest.mark.usefixtures("forked")
def test_rates_do_not_depend_on_shards_or_processes(fitted: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LEAST_RECORDS", 5), ("LEAST_OF_A_CLASS", 0.01), ("MOST_RELATIVE_ERROR", 9)):
        monkeypatch.setattr(class_prior, name, value)
    whole = finished(fitted)
    small = replace(fitted, shard_tokens=1_500)
    cut = make_job(small, SAMPLE)
    for shard in split_files(cut):
        embed(cut, shard, small)
    repair(cut, processes=1)
    plan = read_plan(cut.paths.plan)
    assert len(plan.shards) > 2
    monkeypatch.setattr(rank_records, "FRAMES_PER_PROCESS", 1)
    found = [job_false_discoveries(cut, plan, RecordScore(VALUES), processes=processes) for processes in (1, 2)]
    told = report_of(whole)["fdr"]
    assert told["prior_is"] == "estimated" and found[0].prior == found[1].prior
    assert found[0].prior is not None and found[0].prior.share == told["prior"]
    assert found[0].rates is not None and found[1].rates is not None and (found[0].rates == found[1].rates).all()
    run_job(cut, small)
    assert rows_of(cut) == rows_of(whole) and any(row["fdr"] != "NA" for row in rows_of(cut))


def test_few_records_have_no_rates_and_presets_are_cutoffs_of_the_score(fitted: Settings) -> None:
    job = finished(fitted)
    rows = rows_of(job)
    scored = sum(row["status"] == "scored" for row in rows)
    assert {row["fdr"] for row in rows} == {"NA"}
    told = report_of(job)["fdr"]
    assert told["refusal"] == f"{scored} records have a score; at least 200 are needed" and told["prior"] is None
    lines = gzip.decompress((job.paths.results / "virus.fasta.gz").read_bytes()).splitlines()[::2]
    assert len(lines) == sum(row["call"] == "virus" for row in rows)
    assert not any("--max-fdr" in warning for warning in report_of(job)["warnings"])


def test_a_rate_that_was_asked_for_and_is_not_there_gives_a_warning(fitted: Settings) -> None:
    warnings = " ".join(report_of(finished(fitted, max_fdr=0.01))["warnings"])
    assert "at least 200 are needed" in warnings and "not by --max-fdr 0.01" in warnings


def test_a_head_without_values_gives_no_rates(settings: Settings, tmp_path: Path) -> None:
    plain = replace(settings, bundle=str(fitted_bundle(tmp_path / "plain", None)))
    report = report_of(finished(plain))
    assert "no calibrated probabilities" in report["fdr"]["refusal"]
    assert any("no calibrated probability" in warning for warning in report["warnings"])
    for outputs in ({"prior": 0.1}, {"max_fdr": 0.01}, {"max_fdr": 0.1}):
        with pytest.raises(SettingsError, match="gives no false-discovery rates"):
            make_job(plain, SAMPLE, outputs=output_options(**outputs))


def test_samples_have_the_rates_of_the_whole_job(fitted: Settings, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    (tmp_path / "copy.fasta").write_bytes(SAMPLE.read_bytes())
    sheet.write_text(f"sample,file\nA,{SAMPLE}\nB,copy.fasta\n")
    job = make_job(fitted, *read_sample_sheet(sheet, reserved=()), outputs=output_options(prior=PRIOR))
    run_job(job, fitted)
    rates = [[row["fdr"] for row in read_table(job.paths.results / name / "records.tsv")] for name in "AB"]
    alone = [row["fdr"] for row in rows_of(finished(fitted, prior=PRIOR))]
    assert rates[0] == rates[1] == alone and any(not math.isnan(float(one)) for one in alone if one != "NA")
    assert report_of(job)["fdr"]["records"] == 2 * sum(one != "NA" for one in alone)


@pytest.mark.parametrize("name", ["chunks", "scores"])
def test_a_damaged_file_is_noticed(fitted: Settings, name: str) -> None:
    job = make_job(fitted, SAMPLE)
    for shard in split_files(job):
        embed(job, shard, fitted)
    repair(job, processes=1)
    file = getattr(job.paths, name)(0)
    file.write_bytes(file.read_bytes()[:-7] + b"changed")
    with pytest.raises(DamagedError):
        job_false_discoveries(job, read_plan(job.paths.plan), RecordScore(VALUES), processes=1)
