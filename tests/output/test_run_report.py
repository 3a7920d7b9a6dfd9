from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from job import make_job

from virnucpro_tasks.classifier.false_discoveries import NO_RATES, FalseDiscoveries
from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import JobSpec
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.sizes import FittedRecordScore
from virnucpro_tasks.output.counts import ResultCounts
from virnucpro_tasks.output.run_report import accuracy_of_demonstration, log_text, run_report
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.tables import Status
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import Plan, ShardEntry

REAL = msgspec.structs.replace(demo_bundle().description, demonstration=False, name="real")
PLAN = Plan((ShardEntry(10, 12, 2000, *["0" * 64] * 3, segments=4, segment_tokens=400),))


@pytest.fixture
def spec(settings: Settings, tmp_path: Path) -> JobSpec:
    reads = tmp_path / "reads.fasta"
    reads.write_text(">a\nACGT\n")
    return make_job(settings, reads).spec


def counts_of(*, short: int = 0, **records: int) -> ResultCounts:
    counts = ResultCounts(virus_records=1, short_records=short)
    counts.records.update({Status(name): number for name, number in records.items()})
    return counts


FITTED = RecordScore(FittedRecordScore(-0.25, 0.5, 1.5))


def report_of(
    spec: JobSpec, counts: ResultCounts, rule: RecordScore = FITTED, rates: FalseDiscoveries = NO_RATES
) -> dict[str, Any]:
    return run_report(
        spec,
        REAL,
        rule,
        rates,
        PLAN,
        counts,
        samples={},
        engine={"packs": 3},
        digests=dict.fromkeys(("records.tsv", "virus.fasta.gz"), "f" * 64),
        started_at=time.time(),
    )


def test_complete_jobs_end_with_nought_and_incomplete_ones_with_their_own_code(spec: JobSpec) -> None:
    assert report_of(spec, counts_of(scored=3, no_open_frame=2, too_short=1))["exit_code"] == ExitCode.OK
    assert report_of(spec, counts_of(scored=3, invalid=1))["exit_code"] == ExitCode.INCOMPLETE
    part = counts_of(scored=3)
    part.chunks[Status.QUARANTINED] = 1
    report = report_of(spec, part)
    assert report["exit_code"] == ExitCode.INCOMPLETE
    assert "; 1 chunk quarantined" in report["summary"]


def test_the_summary_accounts_for_every_record(spec: JobSpec) -> None:
    report = report_of(spec, counts_of(scored=1200, no_open_frame=2, too_short=1, invalid=4, quarantined=5))
    assert report["summary"] == (
        "1,212 records: 1,200 scored (1 virus, 1,199 others), 2 without an open frame, 1 too short, 4 invalid, "
        "5 quarantined"
    )


def test_segments_are_counted_where_a_job_asked_for_them(spec: JobSpec) -> None:
    counts = counts_of(scored=7, partial_frame=2, no_open_frame=3)
    counts.called.update({Status.SCORED: 7, Status.PARTIAL_FRAME: 2, Status.NO_OPEN_FRAME: 1})
    parameters = msgspec.structs.replace(spec.parameters, coverage=Coverage.SEGMENTS)
    found = report_of(msgspec.structs.replace(spec, parameters=parameters), counts)
    assert found["parameters"]["coverage"] == "segments"
    assert found["counts"]["records"]["partial_frame"] == 2
    assert found["counts"]["called_records"] == {"scored": 7, "partial_frame": 2, "no_open_frame": 1}
    assert (found["counts"]["segments"], found["counts"]["segment_tokens"]) == (4, 400)
    assert found["summary"] == (
        "12 records: 10 scored (1 virus, 9 others), 2 of them by segments alone, 1 by length alone, "
        "2 without an open frame"
    )


def test_a_job_by_frames_tells_nothing_of_segments(spec: JobSpec) -> None:
    found = report_of(spec, counts_of(scored=7, no_open_frame=3))
    assert found["parameters"]["coverage"] == "frames"
    assert found["counts"].keys().isdisjoint({"called_records", "segments", "segment_tokens"})
    assert "partial_frame" not in found["counts"]["records"]


def test_two_runs_of_equal_work_differ_in_times_alone(spec: JobSpec) -> None:
    other = msgspec.structs.replace(
        spec,
        job_id="20260101t000000z-aaaaaaaaaaaaaaaa",
        created_at="2026-01-01T00:00:00+00:00",
        parameters=msgspec.structs.replace(spec.parameters, priority=0, shard_tokens=5, max_attempts=9),
    )
    one, two = (report_of(each, counts_of(scored=3)) for each in (spec, other))
    assert one.pop("times") != two.pop("times")
    assert one == two
    assert log_text(one) == log_text(two)


def test_what_lies_outside_the_training_is_warned_about(spec: JobSpec) -> None:
    assert report_of(spec, counts_of(scored=10, short=5))["warnings"] == []
    (warning,) = report_of(spec, counts_of(scored=10, short=6))["warnings"]
    assert "known to be poor on reads of 150" in warning and "demonstration" not in warning
    assert "6 of 10 scored records are shorter than half a chunk of 500 bases" in warning
    covered = counts_of(scored=2, partial_frame=7, no_open_frame=3, short=6)
    covered.called.update({Status.SCORED: 2, Status.PARTIAL_FRAME: 7, Status.NO_OPEN_FRAME: 2})
    (warning,) = report_of(spec, covered)["warnings"]
    assert warning.startswith("6 of 11 scored records are shorter")
    other = msgspec.structs.replace(spec, parameters=msgspec.structs.replace(spec.parameters, chunk_length=300))
    (warning,) = report_of(other, counts_of(scored=10))["warnings"]
    assert warning == "chunks are 300 bases long, the head was trained on 500"


def test_short_reads_are_warned_about_where_the_head_is_a_published_one(spec: JobSpec) -> None:
    counts = counts_of(scored=10)
    counts.short_reads = 6
    assert report_of(spec, counts)["warnings"] == []
    _, warning = report_of(spec, counts, RecordScore())["warnings"]
    assert warning.startswith("6 of 10 scored records are shorter than 300 bases: the published classifiers were not")
    assert "virnucpro train --nucleotides-below 300" in warning
    counts.short_reads = 5
    assert len(report_of(spec, counts, RecordScore())["warnings"]) == 1


def test_a_head_with_a_part_for_short_records_gives_no_warning_of_them(spec: JobSpec) -> None:
    counts = counts_of(scored=10, short=10)
    assert len(report_of(spec, counts)["warnings"]) == 1
    assert report_of(spec, counts, RecordScore(FITTED.fitted, nucleotides_below=300))["warnings"] == []
    # Of a quarter of a chunk the part does not know enough.
    assert len(report_of(spec, counts, RecordScore(FITTED.fitted, nucleotides_below=100))["warnings"]) == 1


def test_report_and_log_name_inputs_model_and_files(spec: JobSpec) -> None:
    report = report_of(spec, counts_of(scored=3))
    assert report["model"]["digest"] == spec.bundle_digest
    assert report["inputs"][0]["sha256"] == spec.inputs[0].sha256
    text = log_text(report)
    for expected in (spec.bundle_digest, spec.inputs[0].sha256, "reads.fasta", "records.tsv", "chunk_length=500"):
        assert expected in text


def test_of_the_demonstration_the_measured_accuracy_on_short_contigs_is_told(spec: JobSpec) -> None:
    demonstration = demo_bundle().description
    measured = json.loads((demo_bundle().path / "head" / "card.json").read_text())["unseen_groups_by_length"]
    told = accuracy_of_demonstration(demonstration)
    assert f"AUROC {measured['0 to 499']['auroc']:.2f} on contigs of 300 to 499 bases" in told
    assert accuracy_of_demonstration(REAL) == ""


def test_a_job_with_records_that_have_no_score_is_marked(spec: JobSpec) -> None:
    assert report_of(spec, counts_of(scored=3, no_open_frame=2))["incomplete"] is False
    assert report_of(spec, counts_of(scored=3, invalid=1))["incomplete"] is True
