"""run.json and the log of a finished job."""

from __future__ import annotations

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec

from virnucpro_tasks.build import own_build
from virnucpro_tasks.classifier.false_discoveries import FalseDiscoveries
from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.errors import ExitCode, counted
from virnucpro_tasks.jobs.job import JobParameters, JobSpec
from virnucpro_tasks.jobs.staging import StagedInput
from virnucpro_tasks.models.bundle import AGAIN, CARD_FILE, BundleDescription
from virnucpro_tasks.models.jsonfile import read_json
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.output.counts import SHORT_READ, Hit, ResultCounts
from virnucpro_tasks.output.evidence import Evidence
from virnucpro_tasks.output.out_of_range import out_of_range
from virnucpro_tasks.output.rates_report import rates_report, unmet_rates
from virnucpro_tasks.output.records import RECORDS
from virnucpro_tasks.output.sequences import VIRUS_SEQUENCES
from virnucpro_tasks.reads.tables import Status
from virnucpro_tasks.shards.engine_stats import IMPORT_COUNTERS
from virnucpro_tasks.shards.kinds import KINDS
from virnucpro_tasks.shards.plan import Plan

VERSIONED_PACKAGES = ("virnucpro-tasks", "celery", "numpy", "pyarrow")
DEMONSTRATION_SHORTEST = 300
"""Bases of the shortest contigs on which the demonstration was measured (docs/demonstration.md)."""
SEGMENT_STATUSES = frozenset({Status.PARTIAL_FRAME})
"""Statuses that only jobs with coverage by segments have."""
CALLED_STATUSES = (Status.SCORED, Status.PARTIAL_FRAME, Status.NO_OPEN_FRAME)
"""Statuses with which a record may have a call."""
OTHER_STRAND = "the reverse complement"
SHORT_SHARE = 0.5
"""Share of short records beyond which a warning is given."""


def run_report(
    spec: JobSpec,
    description: BundleDescription,
    record_score: RecordScore,
    false_discoveries: FalseDiscoveries,
    plan: Plan,
    counts: ResultCounts,
    *,
    samples: Mapping[str, ResultCounts],
    engine: dict[str, Any],
    digests: dict[str, str],
    started_at: float,
    workers: Sequence[Mapping[str, Any]] = (),
    timeline: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The content of run.json. Everything that may differ between two runs of the same work on equal devices is under
    `times`, with `workers`, those that embedded the job, and `timeline`, their shards.

    `samples` are the counts of each sample of a sample sheet; `engine` is what `engine_report` gives; `digests` maps
    result files to SHA-256 (hex); `started_at` is when finishing began, in seconds since the epoch.
    """
    incomplete = counts.records[Status.INVALID] + counts.chunks[Status.QUARANTINED]
    finished_at = time.time()
    created_at = datetime.fromisoformat(spec.created_at)
    return {
        "summary": summary(counts, description, spec.parameters),
        "exit_code": int(ExitCode.INCOMPLETE if incomplete else ExitCode.OK),
        "incomplete": incomplete > 0,
        "demonstration": description.demonstration,
        "warnings": warnings(spec, description, record_score, plan, counts, samples=samples)
        + unmet_rates(spec, false_discoveries)
        + left_out(spec, digests)
        + imported_warnings(spec, engine)
        + ([] if spec.rescored is None else list(spec.rescored.warnings)),
        "problems": counts.problems,
        "inputs": [
            _input_report(entry, skipped=plan.facts(ordinal).skipped) for ordinal, entry in enumerate(spec.inputs)
        ],
        "parameters": spec.parameters.for_results(),
        "model": {
            "name": description.name,
            "digest": spec.bundle_digest,
            "chunk_length": description.chunk_length,
            "nucleotide": description.nucleotide_model,
            "protein": description.protein_model,
            "head": description.head,
            "record_score": record_score.formula if description.has_head else None,
            "licences": description.licences,
        },
        "counts": {
            **_record_counts(counts, spec.parameters),
            "chunks": {status.value: counts.chunks[status] for status in Status if counts.chunks[status]},
            "virus_records": counts.virus_records,
            "virus_chunks": counts.virus_chunks,
            "bases": counts.bases,
            "virus_bases": counts.virus_bases,
            "virus_evidence": {level.value: counts.virus_evidence[level] for level in Evidence},
            "sequences": counts.sequences,
            "frames_scored": counts.frames,
            "frames": sum(entry.frames for entry in plan.shards),
            "protein_tokens": plan.tokens,
            **_more_frames(plan, spec.parameters),
        },
        "fdr": rates_report(spec, false_discoveries),
        "strongest": [_hit_report(hit) for hit in counts.strongest],
        **(
            {"samples": {name: _sample_report(found, spec.parameters) for name, found in samples.items()}}
            if samples
            else {}
        ),
        **({} if spec.imported is None else {"imported": spec.imported.report()}),
        **({} if spec.rescored is None else {"rescored": msgspec.to_builtins(spec.rescored)}),
        "engine": engine,
        "versions": {name: version(name) for name in VERSIONED_PACKAGES},
        "build": own_build(),
        "sha256": digests,
        "times": {
            "created_at": spec.created_at,
            "finished_at": datetime.fromtimestamp(finished_at, UTC).isoformat(timespec="seconds"),
            "seconds": round(finished_at - created_at.timestamp(), 1),
            "finishing_seconds": round(finished_at - started_at, 3),
            "workers": list(workers),
            "shards": list(timeline),
        },
    }


def _input_report(entry: StagedInput, *, skipped: int) -> dict[str, Any]:
    # Without its place in a sample sheet: another sheet with the same samples is the same work.
    report = msgspec.to_builtins(msgspec.structs.replace(entry, listed=""))
    return report | ({"skipped_alignments": skipped} if skipped else {})


def _hit_report(hit: Hit) -> dict[str, Any]:
    # With the digits of the tables.
    return asdict(hit) | {"virus_score": float(f"{hit.virus_score:.6g}"), "evidence": hit.evidence.value}


def _record_counts(counts: ResultCounts, parameters: JobParameters) -> dict[str, dict[str, int]]:
    """Records by status and, where it is not those scored by frames alone, how many of them have a call."""
    absent = frozenset() if parameters.has_segments else SEGMENT_STATUSES
    records = {status.value: counts.records[status] for status in Status if status not in absent}
    if not (parameters.has_segments or parameters.has_both_strands):
        return {"records": records}
    # Frames of the reverse complement in another shard than the quarantined ones.
    called = (*CALLED_STATUSES, *([Status.QUARANTINED] if counts.called[Status.QUARANTINED] else []))
    return {
        "records": records,
        "called_records": {status.value: counts.called[status] for status in called if status not in absent},
    }


def _more_frames(plan: Plan, parameters: JobParameters) -> dict[str, int]:
    """The segments among the frames, and the frames of reverse complements, with the tokens that they cost."""
    segments = {"segments": plan.segments, "segment_tokens": plan.segment_tokens}
    reverse = {"reverse_frames": plan.reverse_frames, "reverse_tokens": plan.reverse_tokens}
    return (segments if parameters.has_segments else {}) | (reverse if parameters.has_both_strands else {})


def _sample_report(counts: ResultCounts, parameters: JobParameters) -> dict[str, Any]:
    return {
        **_record_counts(counts, parameters),
        "virus_records": counts.virus_records,
        "virus_chunks": counts.virus_chunks,
    }


def summary(counts: ResultCounts, description: BundleDescription, parameters: JobParameters) -> str:
    """One sentence: how many records became what."""
    reasons = _other_reasons(parameters)
    more = {status: counts.called[status] for status in reasons}
    scored, virus = counts.answered, counts.virus_records
    scored_text = f"scored ({virus:,} virus, {scored - virus:,} others)" if description.has_head else "embedded"
    parts = [f"{scored:,} {scored_text}"]
    alone = zip(more.values(), reasons.values(), strict=True)
    of_them = [f"{number:,} {{}}by {what} alone" for number, what in alone if number]
    parts += [text.format("" if place else "of them ") for place, text in enumerate(of_them)]
    parts += [
        f"{counts.records[status] - more.get(status, 0):,} {text}"
        for status, text in (
            (Status.PARTIAL_FRAME, "with segments alone"),
            (Status.NO_OPEN_FRAME, "without an open frame"),
            (Status.TOO_SHORT, "too short"),
            (Status.INVALID, "invalid"),
            (Status.QUARANTINED, "quarantined"),
        )
        if counts.records[status] - more.get(status, 0)
    ]
    text = f"{counted(counts.records.total(), 'record')}: {', '.join(parts)}"
    if counts.chunks[Status.QUARANTINED]:
        text += f"; {counted(counts.chunks[Status.QUARANTINED], 'chunk')} quarantined"
    return f"{text} [{description.label}]" if description.demonstration else text


def _other_reasons(parameters: JobParameters) -> dict[Status, str]:
    """Say on what alone the score of a record with this status may rest."""
    if not parameters.has_both_strands:
        return {Status.PARTIAL_FRAME: "segments", Status.NO_OPEN_FRAME: "length"}
    closed = f"length or {OTHER_STRAND}" if parameters.has_segments else OTHER_STRAND
    return {
        Status.PARTIAL_FRAME: f"segments or {OTHER_STRAND}",
        Status.NO_OPEN_FRAME: closed,
        Status.QUARANTINED: OTHER_STRAND,
    }


def warnings(
    spec: JobSpec,
    description: BundleDescription,
    record_score: RecordScore,
    plan: Plan,
    counts: ResultCounts,
    *,
    samples: Mapping[str, ResultCounts],
) -> list[str]:
    """Warnings about results that are to be read with care."""
    found = [f"{entry.name} is empty: it holds no record" for entry in spec.inputs if entry.empty]
    found += [
        f"sample {name} holds no record: its tables are headers alone"
        for name, sample in samples.items()
        if not sample.records
    ]
    found += [
        f"{entry.name}: {counted(skipped, 'secondary or supplementary alignment')} left out, as repeats of reads"
        for ordinal, entry in enumerate(spec.inputs)
        if (skipped := plan.facts(ordinal).skipped)
    ]
    found += out_of_range(spec, description, plan)
    if not description.has_head:
        return [*found, "the bundle has no head: the vectors are kept for 'virnucpro train', nothing is scored"]
    if description.demonstration:
        found.append(
            "the model is a demonstration, a tiny one for trying things out: draw no conclusions from its scores"
        )
    if not record_score.is_fitted:
        found.append(
            "the head has no values for the score of a record: virus_score follows from the sum of the log-odds of its "
            "frames by the root of their number, and is no calibrated probability"
        )
    scored = counts.answered
    has_part = 2 * (record_score.nucleotides_below or 0) >= spec.parameters.chunk_length
    if scored and not has_part and counts.short_records > SHORT_SHARE * scored:
        found.append(
            f"{counts.short_records:,} of {scored:,} scored records are shorter than half a chunk of "
            f"{spec.parameters.chunk_length} bases: their scores are less certain. The published classifiers, trained "
            "on chunks of 300 and 500 bases, are known to be poor on reads of 150"
            f"{accuracy_of_demonstration(description)}"
        )
    elif scored and not record_score.is_fitted and counts.short_reads > SHORT_SHARE * scored:
        found.append(
            f"{counts.short_reads:,} of {scored:,} scored records are shorter than {SHORT_READ} bases: the published "
            "classifiers were not trained on such, and the protein of so short a piece can mislead them. A head that "
            f"you fit with 'virnucpro train --nucleotides-below {SHORT_READ}' scores them by their DNA alone"
        )
    return found


def imported_warnings(spec: JobSpec, engine: Mapping[str, Any]) -> list[str]:
    """Warnings of vectors that were taken over from an earlier tool."""
    if spec.imported is None:
        return []
    found, own = [], spec.parameters.precision
    used = [source for source in spec.imported.sources if source.is_used and source.precision != own]
    for kind in KINDS if engine.get("imported", 0) + engine.get("refused", 0) else ():
        if others := sorted({source.precision for source in used if source.kind == kind}):
            found.append(
                f"mixed precision: {kind} vectors of {spec.imported.folder} were computed in {' and '.join(others)}, "
                f"all others in {own}"
            )
    if differing := engine.get("differing", 0):
        found.append(
            f"{differing:,} of {counted(engine['compared'], 'compared vector')} of {spec.imported.folder} differ from "
            f"what the models of this job give: {counted(engine['refused'], 'vector')} of the same files were not used"
        )
    return found


def left_out(spec: JobSpec, places: Container[str]) -> list[str]:
    """Warnings of sequences that are not among the `places` of written files, where a table of records is."""
    folders = [f"{sample}/" if sample else "" for sample in spec.samples]
    names = {folder: f"{folder}{spec.parameters.outputs.prefix}{VIRUS_SEQUENCES.name}" for folder in folders}
    return [
        f"{name} is left out, because inputs in the folder of the job are gone or were changed: 'virnucpro extract' "
        "writes it from the files themselves"
        for folder, name in names.items()
        if folder + RECORDS.name in places and name not in places
    ]


def accuracy_of_demonstration(description: BundleDescription) -> str:
    """The measured accuracy on the shortest records, of the shipped demonstration; nothing is known of others."""
    shipped = demo_bundle()
    if description.digest != shipped.description.digest:
        return ""
    measured = read_json(shipped.path / CARD_FILE, hint=AGAIN)["unseen_groups_by_length"]
    shortest = min(measured, key=lambda lengths: int(lengths.split()[0]))
    return (
        f". The demonstration has AUROC {measured[shortest]['auroc']:.2f} on contigs of {DEMONSTRATION_SHORTEST} to "
        f"{shortest.split()[-1]} bases of unseen groups; on shorter ones it was not measured"
    )


def log_text(report: dict[str, Any]) -> str:
    """The log: the report as lines for a person. Without times, so that equal work gives equal bytes."""
    lines = [f"virnucpro-tasks {report['versions']['virnucpro-tasks']}"]
    lines += [
        f"input name={entry['name']!r} bytes={entry['bytes']} sha256={entry['sha256']}" for entry in report["inputs"]
    ]
    for name, counts in report.get("samples", {}).items():
        lines.append(f"sample {name} " + " ".join(f"{status}={count}" for status, count in counts["records"].items()))
    for section in ("parameters", "model"):
        facts = [f"{name}={value!r}" for name, value in report[section].items() if not isinstance(value, dict)]
        lines.append(f"{section} {' '.join(facts)}")
    if "imported" in report:
        imported = {
            "folder": repr(report["imported"]["folder"]),
            "tool": repr(report["imported"]["tool"]),
            **{name: report["engine"].get(name, 0) for name in IMPORT_COUNTERS},
        }
        lines.append("imported " + " ".join(f"{name}={value}" for name, value in imported.items()))
    lines.append("fdr " + " ".join(f"{name}={value!r}" for name, value in report["fdr"].items()))
    for section in ("records", "chunks"):
        lines.append(f"{section} " + " ".join(f"{name}={value}" for name, value in report["counts"][section].items()))
    lines += [f"file name={name} sha256={digest}" for name, digest in report["sha256"].items()]
    lines += [f"warning: {text}" for text in report["warnings"]]
    lines += [f"problem: {text}" for text in report["problems"]]
    lines.append(f"{report['summary']}; exit code {report['exit_code']}")
    return "\n".join(lines) + "\n"
