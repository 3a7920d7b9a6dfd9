"""A summary of the findings of a job, in a few lines for a terminal; all of it stands in run.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.errors import clock_text, counted, percent, printable
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.output_options import DEFAULT_PRESET, PRESETS, OutputOptions
from virnucpro_tasks.jobs.progress import Rates, RunReport, read_report
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.system.file_operations import exists

LABEL_CHARACTERS = 12
ID_CHARACTERS = 34
"""A longer id is cut in the middle: its end may tell it from others."""

LOW_EVIDENCE = "fewer than 2 scored chunks, or less than a quarter of the bases: look at them before they are used"
NO_OPEN_FRAME = "stop codons in all six, as in most non-coding sequence; no sign for or against a virus"


def say_summary(report: RunReport, folder: Path, *, quiet: bool = False) -> None:
    """Print what the results in `folder` say; nothing about a job whose bundle calls no records."""
    for line in summary_lines(report, folder):
        say(line, quiet=quiet, hanging=LABEL_CHARACTERS)


def say_summary_of(job: Job, output: Path | None = None) -> None:
    """Print what the results of a deployed job say, if it has any, in the store or copied to `output`."""
    with suppress(FileNotFoundError):
        say_summary(read_report(job.paths.run), job.paths.results if output is None else output)


def summary_lines(report: RunReport, folder: Path) -> list[str]:
    """The lines, each with its label."""
    if report.virus_records is None or not report.counts.bases:
        return []
    return [f"{label:<{LABEL_CHARACTERS}}{text}" for label, text in _facts(report, folder)]


def _facts(report: RunReport, folder: Path) -> Iterator[tuple[str, str]]:
    counts, virus = report.counts, report.counts.virus_records
    share = f" ({percent(counts.virus_bases, counts.bases)})" if virus else ""
    of_bases = f"{counts.virus_bases:,} of {counted(counts.bases, 'base')}{share}"
    yield "viral", f"{virus:,} of {counted(report.record_counts()['all'], 'record')}, {of_bases}"
    width = max((len(cut_id(hit.record_id)) for hit in report.strongest), default=0)
    digits = max((len(f"{hit.length:,}") for hit in report.strongest), default=0)
    for place, hit in enumerate(report.strongest):
        name = f"{cut_id(hit.record_id):<{width}}  {hit.length:>{digits},} bases"
        yield "strongest" if not place else "", f"{name}  score {hit.virus_score:.3f}  {hit.evidence} evidence"
    if report.fdr.prior is not None:
        share = f"{report.fdr.prior:.3g} of the records being viral, {_source(report.fdr)}"
        yield "rates", f"of false discoveries, for {share}"
    elif report.fdr.refusal:
        yield "rates", f"of false discoveries: none, {report.fdr.refusal}"
    if low := counts.virus_evidence.get("low", 0):
        yield "doubtful", f"{low:,} of them on low evidence: {LOW_EVIDENCE}"
    partial = counts.chunks.partial_frame
    chunks = sum((counts.chunks.scored, counts.chunks.no_open_frame, counts.chunks.quarantined, partial))
    if partial:
        yield "segments", f"{counted(partial, 'chunk')} without an open frame scored by the longest segment"
    if closed := counts.chunks.no_open_frame:
        lacking = "an open frame or a segment" if report.parameters.coverage is Coverage.SEGMENTS else "an open frame"
        without = f"{closed:,} of {counted(chunks, 'chunk')} ({percent(closed, chunks)}) without {lacking}"
        yield "unanswered", f"{without}: {NO_OPEN_FRAME}"
    seconds = report.times.seconds
    rate = f", {counts.bases / seconds:,.0f} bases/s" if seconds else ""
    yield "computed", f"on {_devices(report)} in {clock_text(seconds)} from submission{rate}"
    if (engine := report.engine).imported or engine.compared:
        used = f"{counted(engine.imported, 'vector')} of an earlier tool, taken on the proof of their sequences"
        differing = f"{engine.differing:,} differ" if engine.differing else "all agree"
        yield "imported", f"{used}; {engine.compared:,} more were computed anew to compare: {differing}"
    # Imported here: they load pyarrow.
    from virnucpro_tasks.output.sequences import VIRUS_SEQUENCES
    from virnucpro_tasks.output.tables import REPORT_FILE, file_name

    options = report.parameters.outputs
    sequences = file_name(VIRUS_SEQUENCES.name, prefix=options.prefix)
    written = [place for place in report.sha256 if place.rpartition("/")[2] == sequences]
    if written:
        where = f"{sequences} in the folder of each sample" if len(written) > 1 else str(folder / written[0])
        number = "" if counts.sequences is None else f"{counted(counts.sequences, 'record')} in "
        cutoffs = _cutoffs_text(options, has_rates=report.fdr.prior is not None)
        yield "sequences", number + printable(where) + cutoffs
    page = folder / file_name(REPORT_FILE, prefix=options.prefix)
    if exists(page):
        yield "report", printable(str(page))


def _source(rates: Rates) -> str:
    return "as --prior says" if rates.prior_is == "given" else "estimated from the scores"


def _cutoffs_text(options: OutputOptions, *, has_rates: bool) -> str:
    """The cutoffs of the sequences, if they are not those of the call."""
    cutoffs = options.cutoffs_of(has_rates=has_rates)
    if cutoffs == PRESETS[DEFAULT_PRESET]:
        return ""
    has_score = cutoffs.max_fdr is None or cutoffs.min_score > 0
    least = [f"a score of {cutoffs.min_score:g}"] if has_score else []
    least += [counted(cutoffs.min_length, "base")] if cutoffs.min_length else []
    least += [f"{cutoffs.min_scored_fraction:.0%} of the bases scored"] if cutoffs.min_scored_fraction else []
    limits = [] if cutoffs.max_fdr is None else [f"up to a false-discovery rate of {cutoffs.max_fdr:g}"]
    limits += [f"with at least {', '.join(least)}"] if least else []
    return f": those {', '.join(limits)}"


def _devices(report: RunReport) -> str:
    """The devices that took part, equal ones with their number."""
    devices = Counter(worker.device or "unknown device" for worker in report.times.workers)
    return ", ".join(f"{number} × {name}" if number > 1 else name for name, number in devices.items()) or "no device"


def cut_id(record_id: str) -> str:
    """An id in at most ID_CHARACTERS."""
    text = printable(record_id)
    if len(text) <= ID_CHARACTERS:
        return text
    half = ID_CHARACTERS // 2
    return f"{text[: ID_CHARACTERS - half]}…{text[len(text) - half + 1 :]}"
