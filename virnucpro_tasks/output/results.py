"""All tables of a finished job, written part by part in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from virnucpro_tasks.jobs.job import JobSpec
from virnucpro_tasks.output.counts import ResultCounts
from virnucpro_tasks.output.fields import text_of
from virnucpro_tasks.output.part import Addition, ShardPart, written_records
from virnucpro_tasks.output.record_numbers import RecordNumbers
from virnucpro_tasks.output.records import RecordMerger
from virnucpro_tasks.output.samples import SAMPLES, SampleCounts
from virnucpro_tasks.output.sorted_lines import SortedLines
from virnucpro_tasks.output.spans import SpanMerger
from virnucpro_tasks.output.table import Table, TableStyle, Writer
from virnucpro_tasks.output.tables import DEMONSTRATION_FILE, SPAN_FILES, TABLES
from virnucpro_tasks.system.file_operations import persistently, sync

Collect = Callable[[RecordNumbers], None]
"""Takes the numbers of the next complete records."""

DEMONSTRATION_TEXT = """\
The scores and calls in this folder come from a demonstration bundle: a tiny model for trying the software out.
Do not draw conclusions from them. This holds for prediction_results.txt and prediction_results_highestscore.csv
too, whose columns leave no room to say so.
"""


def count_embedded(parts: Iterable[ShardPart], style: TableStyle) -> ResultCounts:
    """Count the records and chunks of a job whose bundle has no head: `scored` ones have vectors, none is called."""
    counts = ResultCounts()
    for addition in _in_order(parts, style):
        counts.add(addition.counts)
    counts.virus_records = counts.virus_chunks = 0
    return counts


def write_results(
    parts: Iterable[ShardPart],
    directory: Path,
    style: TableStyle,
    *,
    demonstration: bool,
    collect: Collect | None = None,
) -> ResultCounts:
    """Write all TABLES into `directory` and count what they hold.

    `parts` are those of all shards, made in the same style. The bytes do not depend on where shards were cut. `collect`
    takes the numbers of the records in order, if there is a page to show them.
    """
    counts = _write_tables(parts, directory, style, {}, collect)
    if demonstration:
        _say_demonstration(directory)
    return counts


def write_samples(
    parts: Iterable[ShardPart],
    directory: Path,
    styles: Sequence[TableStyle],
    *,
    demonstration: bool,
    collect: Collect | None = None,
) -> dict[str, ResultCounts]:
    """Write all TABLES of each sample into a folder of its name in `directory`, and beside these the joint tables.

    `styles` are those of the samples, `parts` the shards of one sample after another, made in its style; a sample
    without records has none. `collect` is as in `write_results`. Returns what the tables hold, by sample.
    """
    counts = {}
    of_samples = groupby(parts, key=lambda part: part.sample)
    upcoming = next(of_samples, None)
    with ExitStack() as stack:
        joint = {
            table.name: stack.enter_context(_joint_writer(table, directory, styles[0]))
            for table in TABLES
            if table.is_joined
        }
        for style in styles:
            persistently(partial((directory / style.sample).mkdir))
            if upcoming is not None and upcoming[0] == style.sample:
                counts[style.sample] = _write_tables(upcoming[1], directory, style, joint, collect)
                upcoming = next(of_samples, None)
            else:
                counts[style.sample] = _write_tables((), directory, style, joint, collect)
            if demonstration:
                _say_demonstration(directory / style.sample)
            sync(directory / style.sample)
    if demonstration:
        _say_demonstration(directory)
    return counts


def write_summary(spec: JobSpec, samples: Mapping[str, ResultCounts], directory: Path, style: TableStyle) -> None:
    """Write samples.tsv into `directory`."""
    rows = [SampleCounts(name, len(spec.samples[name]), counts) for name, counts in samples.items()]
    with _writer(SAMPLES, directory, replace(style, sample="")) as write:
        write([text_of(SAMPLES.lines(rows, style))])


def _write_tables(
    parts: Iterable[ShardPart],
    directory: Path,
    style: TableStyle,
    others: Mapping[str, Writer],
    collect: Collect | None,
) -> ResultCounts:
    """Write all TABLES of `style`, and with `others` the lines that go to other files; `collect` the numbers."""
    counts = ResultCounts()
    with ExitStack() as stack:
        writers = dict(others)
        for table in TABLES:
            writers[table.file(style)] = stack.enter_context(_writer(table, directory, style))
        for addition in _in_order(parts, style):
            counts.add(addition.counts)
            for file, some in addition.lines.items():
                writers[file](some)
            if collect is not None and addition.numbers is not None:
                collect(addition.numbers)
    return counts


def _say_demonstration(directory: Path) -> None:
    persistently(lambda: (directory / DEMONSTRATION_FILE).write_text(DEMONSTRATION_TEXT))


def _in_order(parts: Iterable[ShardPart], style: TableStyle) -> Iterator[Addition]:
    """The lines of all tables in the order of the input, with counts and numbers of the records that they complete."""
    merger = RecordMerger()
    span_mergers = [SpanMerger(files, style) for files in SPAN_FILES]
    for part in parts:
        yield written_records([*merger.add(part.first), *(merger.end() if part.last else ())], style)
        if part.last:
            yield Addition(part.record_lines, part.counts, part.numbers)
            list(merger.add(part.last))
        yield Addition(part.lines)
        for spans, found in zip(span_mergers, part.spans, strict=True):
            yield from map(Addition, spans.add(found))
    yield written_records(list(merger.end()), style)
    yield from (Addition(spans.end()) for spans in span_mergers)


@contextmanager
def _writer(table: Table[Any], directory: Path, style: TableStyle) -> Iterator[Writer]:
    """A function that adds lines to the new file of `table`, which is complete when the block ends without an error."""
    file = directory / table.file(style)
    with persistently(lambda: file.open("wb")) as handle:
        if table.written_by is not None:
            with table.written_by(handle, style) as write:
                yield write
            return
        handle.write(table.header(style))
        if table.is_sorted(style):
            by_id = SortedLines(file, has_keys=table.sort_keys is not None)
            yield by_id.extend
            handle.writelines(by_id.pieces())
        else:
            yield handle.writelines


@contextmanager
def _joint_writer(table: Table[Any], directory: Path, style: TableStyle) -> Iterator[Writer]:
    """A table that joins those of all samples, in the same way."""
    with persistently(lambda: (directory / table.name).open("wb")) as handle:
        handle.write(table.joint_header(style))
        yield handle.writelines
