"""A result table: its file, its columns, and how its lines are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Generic, TypeVar

from virnucpro_tasks.classifier.false_discoveries import NO_RATES, FalseDiscoveries
from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.output_options import DEFAULT_PRESET, PRESETS, Cutoffs
from virnucpro_tasks.models.bundle import BundleDescription
from virnucpro_tasks.output.fields import LINE_END, SEPARATOR, header_line, table_lines, text_of, texts
from virnucpro_tasks.output.sorted_lines import keyed_pieces
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.shards.plan import Plan

Lines = dict[str, list[bytes]]
"""Lines by the file that they go to, in input order; a list may hold several lines in one piece."""

Writer = Callable[[list[bytes]], None]
"""Takes the next lines of a file."""

Rows = TypeVar("Rows")
"""A table is written from the summaries of complete records, or from the chunk rows of one shard after another."""


@dataclass(frozen=True, slots=True)
class TableStyle:
    """Properties that all tables of a job share.

    `dialect` is original or broad, `input_names` are by input ordinal, `model_label` stands in every row,
    `chunk_length` is in bases. Tables with reads of pairs tell which (`has_mates`), those of a job that is covered by
    segments tell of these (`has_segments`).

    With a sample sheet the tables of each `sample` are in a folder of that name, and records are numbered from its
    first one, which is number `first_record` (from 0) of the job. `any_has_mates` is `has_mates` of any of the samples.
    `prefix` begins the names of tables that say so. `inputs` hold the records, of which those within `cutoffs` are
    handed on. `record_score` is the rule by which the head scores records, `false_discoveries` are the
    rates of the job. `has_page` tells that a report shows numbers of the records.
    """

    dialect: str
    input_names: Sequence[str]
    model_label: str
    chunk_length: int
    has_mates: bool = False
    any_has_mates: bool = False
    sample: str = ""
    first_record: int = 0
    has_segments: bool = False
    prefix: str = ""
    inputs: Sequence[ReadInput] = ()
    cutoffs: Cutoffs = PRESETS[DEFAULT_PRESET]
    record_score: RecordScore = RecordScore()
    false_discoveries: FalseDiscoveries = NO_RATES
    has_page: bool = False

    def file(self, name: str) -> str:
        """The place of the table `name` in the folder of results."""
        return f"{self.sample}/{name}" if self.sample else name


@dataclass(frozen=True, slots=True)
class Column(Generic[Rows]):
    """One column of a tab-separated table.

    `meaning` describes it in docs/outputs.md, `write` is its format (see `fields`), `values` takes it out of the rows,
    one value for each. Tables of some styles lack it, as `is_there` says.
    """

    name: str
    meaning: str
    write: Callable[[Any], list[bytes]]
    values: Callable[[Rows, TableStyle], Iterable[Any]]
    is_there: Callable[[TableStyle], bool] = lambda style: True


def table_styles(
    job: Job,
    plan: Plan,
    description: BundleDescription,
    record_score: RecordScore,
    false_discoveries: FalseDiscoveries,
) -> dict[str, TableStyle]:
    """How the tables of each sample of a job are written; without a sample sheet there is one, without a name."""
    spec, inputs = job.spec, job.inputs
    facts = {sample: [plan.facts(ordinal) for ordinal in ordinals] for sample, ordinals in spec.samples.items()}
    return {
        sample: TableStyle(
            dialect=spec.parameters.dialect,
            input_names=[entry.name for entry in spec.inputs],
            model_label=description.label,
            chunk_length=spec.parameters.chunk_length,
            has_mates=any(entry.has_mates for entry in found),
            any_has_mates=any(entry.has_mates for entry in plan.inputs),
            sample=sample,
            has_segments=spec.parameters.coverage is Coverage.SEGMENTS,
            prefix=spec.parameters.outputs.prefix,
            inputs=[inputs[ordinal] for ordinal in spec.samples[sample]],
            cutoffs=spec.parameters.outputs.cutoffs_of(has_rates=false_discoveries.are_there),
            record_score=record_score,
            false_discoveries=false_discoveries,
            has_page=spec.parameters.outputs.report,
            first_record=next((entry.first_record for entry in found if entry.first_record >= 0), 0) if sample else 0,
        )
        for sample, found in facts.items()
    }


SAMPLE_COLUMN: Column[Sequence[str]] = Column(
    "sample",
    "name of the sample; only with `--samples`, in the joint table",
    lambda values: texts(value.encode() for value in values),
    lambda names, _: names,
)
"""The last column of the tables that join those of all samples."""


@dataclass(frozen=True, slots=True)
class WrittenLines:
    """Lines of a table, and the keys that they are to be sorted by, if there are any."""

    lines: list[bytes]
    keys: list[bytes] | None

    def pieces(self, places: slice) -> list[bytes]:
        """The lines at some places as `Lines` has them: in one piece, or as `keyed_pieces` if they have keys."""
        lines = self.lines[places]
        return [text_of(lines)] if self.keys is None else keyed_pieces(self.keys[places], lines)


@dataclass(frozen=True, slots=True)
class Table(Generic[Rows]):
    """One result file.

    `meaning` describes it in docs/outputs.md. `header` gives the first line with its end, `lines` those of some rows
    without. They are in input order, or sorted: by id if `is_sorted` says so of the style, or by the `sort_keys` of the
    rows. Of a table that `is_joined` there is one for each sample, and one with the rows of all of them. The name of a
    table that `is_prefixed` begins with the prefix of the job. One that is `written_by` a function of its own is no
    table at all: its lines are what that function needs to write the file.
    """

    name: str
    meaning: str
    header: Callable[[TableStyle], bytes]
    lines: Callable[[Rows, TableStyle], list[bytes]]
    is_sorted: Callable[[TableStyle], bool] = lambda style: False
    is_joined: bool = False
    sort_keys: Callable[[Rows], Iterable[bytes]] | None = None
    is_prefixed: bool = False
    written_by: Callable[[BinaryIO, TableStyle], AbstractContextManager[Writer]] | None = None

    def file(self, style: TableStyle) -> str:
        """Its place in the folder of results."""
        return style.file(style.prefix + self.name if self.is_prefixed else self.name)

    def written(self, rows: Rows, style: TableStyle) -> WrittenLines:
        """The lines of some rows, with their keys if they are to be sorted by keys."""
        return WrittenLines(self.lines(rows, style), list(self.sort_keys(rows)) if self.sort_keys else None)

    def part(self, rows: Rows, style: TableStyle) -> Lines:
        """The lines of some rows by the file that they go to, in one piece."""
        lines = self.lines(rows, style)
        part = {self.file(style): [text_of(lines)]}
        if style.sample and self.is_joined:
            joint = joint_style(style)
            part[self.name] = [text_of(_joined(lines if joint == style else self.lines(rows, joint), style.sample))]
        return part

    def joint_header(self, style: TableStyle) -> bytes:
        """The first line of the joint table."""
        header = self.header(joint_style(style))
        return header.removesuffix(LINE_END) + SEPARATOR + SAMPLE_COLUMN.name.encode() + LINE_END


def joint_style(style: TableStyle) -> TableStyle:
    """The style of the joint table, whose columns are those of any sample."""
    return replace(style, has_mates=style.any_has_mates)


def _joined(lines: list[bytes], sample: str) -> list[bytes]:
    """The lines of one sample, with its name at their ends."""
    (name,) = SAMPLE_COLUMN.write([sample])
    end = SEPARATOR + name
    return [line + end for line in lines]


def table_of(
    columns: tuple[Column[Rows], ...],
    *,
    name: str,
    meaning: str,
    is_joined: bool = False,
    is_prefixed: bool = False,
    sort_keys: Callable[[Rows], Iterable[bytes]] | None = None,
) -> Table[Rows]:
    """A tab-separated table with a line for each row; with `sort_keys` in the order of these."""

    def header(style: TableStyle) -> bytes:
        return header_line([column.name for column in columns if column.is_there(style)])

    def lines(rows: Rows, style: TableStyle) -> list[bytes]:
        return table_lines(*(column.write(column.values(rows, style)) for column in columns if column.is_there(style)))

    return Table(
        name,
        meaning,
        header,
        lines,
        is_sorted=lambda style: sort_keys is not None,
        is_joined=is_joined,
        sort_keys=sort_keys,
        is_prefixed=is_prefixed,
    )
