"""All tables of a finished job, written part by part in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from virnucpro_tasks.output.counts import ResultCounts
from virnucpro_tasks.output.part import Lines, ShardPart, written_records
from virnucpro_tasks.output.records import RecordMerger
from virnucpro_tasks.output.sorted_lines import SortedLines
from virnucpro_tasks.output.table import Table, TableStyle
from virnucpro_tasks.output.tables import DEMONSTRATION_FILE, TABLES
from virnucpro_tasks.system.file_operations import persistently

DEMONSTRATION_TEXT = """\
The scores and calls in this folder come from a demonstration bundle: a tiny model for trying the software out.
Do not draw conclusions from them. This holds for prediction_results.txt and prediction_results_highestscore.csv
too, whose columns leave no room to say so.
"""


def count_embedded(parts: Iterable[ShardPart], style: TableStyle) -> ResultCounts:
    """Count the records and chunks of a job whose bundle has no head: `scored` ones have vectors, none is called."""
    counts = ResultCounts()
    for _, counted in _in_order(parts, style):
        counts.add(counted)
    counts.virus_records = counts.virus_chunks = 0
    return counts


def write_results(
    parts: Iterable[ShardPart], directory: Path, style: TableStyle, *, demonstration: bool
) -> ResultCounts:
    """Write all TABLES into `directory` and count what they hold.

    `parts` are those of all shards, made in the same style. The bytes do not depend on where shards were cut.
    """
    counts = ResultCounts()
    with ExitStack() as stack:
        writers = {table.name: stack.enter_context(_writer(table, directory, style)) for table in TABLES}
        for lines, counted in _in_order(parts, style):
            counts.add(counted)
            for name, some in lines.items():
                writers[name](some)
    if demonstration:
        persistently(lambda: (directory / DEMONSTRATION_FILE).write_text(DEMONSTRATION_TEXT))
    return counts


def _in_order(parts: Iterable[ShardPart], style: TableStyle) -> Iterator[tuple[Lines, ResultCounts]]:
    """The lines of all tables in the order of the input, and the counts of the records that are complete with them."""
    merger = RecordMerger()
    for part in parts:
        yield written_records([*merger.add(part.first), *(merger.end() if part.last else ())], style)
        if part.last:
            yield part.record_lines, part.counts
            list(merger.add(part.last))
        yield part.lines, ResultCounts()
    yield written_records(list(merger.end()), style)


@contextmanager
def _writer(table: Table[Any], directory: Path, style: TableStyle) -> Iterator[Callable[[list[bytes]], None]]:
    """A function that adds lines to the new file of `table`, which is complete when the block ends without an error."""
    with persistently(lambda: (directory / table.name).open("wb")) as handle:
        handle.write(table.header(style))
        if table.is_sorted(style):
            by_id = SortedLines(directory)
            yield by_id.extend
            handle.writelines(by_id.lines())
        else:
            yield handle.writelines
