"""Draws AUROC by length, and the share of contigs called virus by kind, for each tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.accuracy.answers import Answers
from virnucpro_tasks.heads.figures import too_few
from virnucpro_tasks.heads.metrics import length_classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_picture(path: Path, rows: Sequence[Mapping[str, Any]], answers: Mapping[str, Answers]) -> None:
    """Write an SVG. Parts with fewer than 20 contigs are left out; AUROC has its interval."""
    # Imported here: it takes long, and whoever imports this module may draw nothing.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.5), layout="constrained")
    by_length, by_kind = figure.subplots(1, 2)
    colours = {tool: f"C{number}" for number, tool in enumerate(answers)}
    _draw_lengths(by_length, rows, colours)
    _draw_kinds(by_kind, {tool: told for tool, told in answers.items() if not told.only_ranks}, colours)
    figure.legend(*by_length.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize="small")
    # The names of its elements are random without a salt.
    with rc_context({"svg.hashsalt": "accuracy"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def _draw_lengths(axes: Axes, rows: Sequence[Mapping[str, Any]], colours: Mapping[str, str]) -> None:
    """Draw a point with its interval for each tool, length class and range of lengths."""
    lengths = [name for name, _ in length_classes(np.array([1, 500, 1_000, 3_000, 10_000]))]
    wanted = [row for row in rows if row["part"] in ("all", *lengths) and row["auroc"] is not None]
    names = list(dict.fromkeys(f"{row['lengths']}\n{row['part']}" for row in wanted))
    tools = list(dict.fromkeys(row["tool"] for row in wanted))
    for number, tool in enumerate(tools):
        own = [row for row in wanted if row["tool"] == tool]
        places = [names.index(f"{row['lengths']}\n{row['part']}") for row in own]
        shift = (number - (len(tools) - 1) / 2) * 0.6 / max(len(tools), 1)
        values = np.array([row["auroc"] for row in own])
        ends = np.array([row["auroc_95"] or (row["auroc"], row["auroc"]) for row in own]).reshape(-1, 2)
        errors = np.abs(ends.T - values)
        axes.errorbar(
            np.array(places) + shift,
            values,
            errors,
            marker="o",
            linestyle="",
            capsize=2,
            label=tool,
            color=colours[tool],
        )
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize="small")
    axes.axhline(0.5, color="gray", linestyle=":")
    axes.set(ylabel="AUROC, contigs without a score last", title="by length (bases)")


def _draw_kinds(axes: Axes, answers: Mapping[str, Answers], colours: Mapping[str, str]) -> None:
    """Draw a bar for each tool and kind: the share of its contigs that is called virus."""
    first = next(iter(answers.values()), None)
    if first is None:
        return
    classes = {contig.source.kind: contig.source.virus for contig in first.contigs}
    kinds = sorted(classes, key=lambda kind: (not classes[kind], kind))
    of_kind = {kind: np.array([contig.source.kind == kind for contig in first.contigs]) for kind in kinds}
    kinds = [kind for kind in kinds if too_few(int(of_kind[kind].sum())) is None]
    width = 0.8 / max(len(answers), 1)
    for number, (tool, told) in enumerate(answers.items()):
        shares = [told.calls[of_kind[kind]].mean() for kind in kinds]
        axes.bar(np.arange(len(kinds)) + number * width - 0.4 + width / 2, shares, width, color=colours[tool])
    labels = [f"{kind}\n({int(of_kind[kind].sum())}, {'virus' if classes[kind] else 'other'})" for kind in kinds]
    axes.set_xticks(range(len(kinds)), labels, rotation=45, ha="right", fontsize="small")
    axes.set(ylabel="share of contigs called virus", ylim=(0, 1), title="by kind (all contigs)")
