"""report.html: one page with its styles, scripts and data inside, which opens offline and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from virnucpro_tasks.errors import counted, printable
from virnucpro_tasks.output.evidence import LEAST
from virnucpro_tasks.output.sequences import VIRUS_SEQUENCES
from virnucpro_tasks.report.charts import CALL_CUTOFF, chart_data
from virnucpro_tasks.report.content import ReportContent
from virnucpro_tasks.report.cutoffs import kept_cutoffs
from virnucpro_tasks.report.records import CALLS, LENGTH_CLASSES, LEVELS, STATUSES
from virnucpro_tasks.report.table_rows import table_row, text_element
from virnucpro_tasks.report.timeline import timeline
from virnucpro_tasks.report.wording import TextBudget, duration, flat, moment, number, score, share

HERE = Path(__file__).parent
LIBRARY = tuple(
    f"d3-{name}.min.js" for name in ("array", "color", "format", "interpolate", "selection", "scale", "axis")
)
"""Files of D3 in the order in which they need each other."""

LETTERS_WHOLE = 400_000
"""Letters of long ids that a page holds for all its records."""

MARK = b'<meta name="generator" content="virnucpro-tasks '
"""A part of the head of each page, by which one is known."""
MARK_BYTES = 4_096

STATUS_WORDS = {
    "scored": ("scored", "at least one chunk has a score"),
    "no_open_frame": ("no open frame", "no chunk has a reading frame without a stop codon"),
    "too_short": ("too short", "shorter than the least length"),
    "invalid": ("invalid", "illegal letters, no id, or over a limit"),
    "quarantined": ("quarantined", "it made its worker fail, also alone"),
    "partial_frame": ("scored by segments", "no open frame, but a long stretch without a stop codon"),
}


def report_page(content: ReportContent) -> str:
    """The page as HTML. Equal content gives equal text.

    Text of the input is escaped by the template; scripts and styles run by their digests alone, as the policy in its
    head says.
    """
    library = "\n".join((HERE / "vendor" / name).read_text() for name in LIBRARY)
    style, script = ((HERE / name).read_text() for name in ("page.css", "page.js"))
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_digest(library)} {_digest(script)}",
            f"style-src {_digest(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    shown = partial(_shown_once, TextBudget(LETTERS_WHOLE), {})
    return page_template().render(
        shown=shown,
        table_row=partial(table_row, shown=shown, has_samples=bool(content.run.get("samples"))),
        title=report_title(content.run),
        run=content.run,
        samples=_samples(content.run),
        unread_chunks=content.run["counts"]["chunks"].get("no_open_frame", 0),
        lanes=timeline(content.run),
        cutoff=CALL_CUTOFF,
        kept=kept_cutoffs(content.run),
        rates=content.run.get("fdr"),
        sequences=next((file.place for file in content.files if file.meaning == VIRUS_SEQUENCES.meaning), ""),
        least={level.value: least for level, least in LEAST.items()},
        records=content.records,
        sums=content.records.sums,
        files=content.files,
        tracks=content.tracks,
        policy=policy,
        style=Markup(style),
        library=Markup(library),
        script=Markup(script),
        data=_json_in_script(chart_data(content)),
        licence=(HERE / "vendor" / "LICENSE-d3.txt").read_text(),
        statuses=_statuses(content.run),
        calls=CALLS,
        levels=[level.value for level in LEVELS],
        classes=_class_names(),
    )


def is_report(file: Path) -> bool:
    """Whether a file is a report page, of any version."""
    with file.open("rb") as handle:
        return MARK in handle.read(MARK_BYTES)


def report_title(run: Mapping[str, Any]) -> str:
    """The title of the page: the name of the input file, or how many there are."""
    names = [printable(Path(entry["name"]).name) for entry in run["inputs"]]
    if run.get("samples"):
        return f"Viral records in {counted(len(run['samples']), 'sample')}"
    return f"Viral records in {names[0] if len(names) == 1 else counted(len(names), 'file')}"


@cache
def page_template() -> Template:
    """The template of the page, compiled with its macros, once in a process."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"n": number, "score": score, "duration": duration, "moment": moment}
    environment.globals |= {"share": share, "flat": flat, "printable": printable, "text_element": text_element}
    environment.get_template("macros.html")
    return environment.get_template("template.html")


def _shown_once(texts: TextBudget, known: dict[Any, Any], content: bytes) -> Any:
    """A text of the input to show, the same one wherever it stands."""
    if content not in known:
        known[content] = texts.shown(content)
    return known[content]


def _samples(run: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of each sample in the order of the sample sheet, whatever the order in `run` is."""
    counts = run.get("samples", {})
    return {name: counts[name] for name in dict.fromkeys(entry["sample"] for entry in run["inputs"])} if counts else {}


def _statuses(run: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The statuses that records of such a job can have, in the order of STATUSES, each with its name and meaning."""
    return [
        (status.value, *STATUS_WORDS[status.value]) for status in STATUSES if status.value in run["counts"]["records"]
    ]


def _class_names() -> list[str]:
    """The classes of lengths in words."""
    return [
        *(f"{low:,} – {high - 1:,}" for low, high in pairwise(LENGTH_CLASSES)),
        f"{LENGTH_CLASSES[-1]:,} and more",
    ]


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json_in_script(data: Any) -> Markup:
    """`data` as JSON in which nothing can end a script element or a line."""
    text = json.dumps(data, separators=(",", ":"), sort_keys=True)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
