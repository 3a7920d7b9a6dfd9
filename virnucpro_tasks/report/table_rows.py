"""Rows of the table of records in the report page, as HTML.

Not in the template: of all of the page they alone are many, and there each takes eight times as long.
"""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup, escape

from virnucpro_tasks.report.records import LEVELS, RecordRow
from virnucpro_tasks.report.wording import ShownText, number, score, share

Shown = Callable[[bytes], ShownText]
"""Turns bytes of the input into text to show, which is not yet escaped."""

_LEVEL_PLACES = {level.value: place for place, level in enumerate(LEVELS)}


def table_row(row: RecordRow, *, shown: Shown, has_samples: bool) -> Markup:
    """The row of one record. All text of the input is escaped."""
    sample = f"<td>{escape(row.sample)}</td>" if has_samples else ""
    mate = f" <small>mate {row.mate}</small>" if row.mate else ""
    record_id = text_element(shown(row.record_id), row.place)
    described = text_element(shown(row.description), row.place) if row.description else ""
    description = f'<small class="description">{described}</small>' if described else ""
    call = f'<span class="badge {row.call}">{row.call}</span>' if row.call else _NO_ANSWER
    level = f' data-value="{_LEVEL_PLACES[row.evidence]}"' if row.evidence else ""
    return Markup(
        f'<tr id="r{row.place}"><td class="number">{number(row.place)}</td>{sample}'
        f'<th scope="row" class="id">{record_id}{mate}{description}</th>'
        f'<td class="number">{number(row.length)}</td><td>{call}</td>{_score(row.score)}{_score(row.highest)}'
        f"<td{level}>{row.evidence or 'NA'}</td>"
        f'<td class="number" data-value="{row.scored_chunks}">{number(row.scored_chunks)} / {number(row.chunks)}</td>'
        f'<td class="number" data-value="{row.scored_fraction}">{share(row.scored_fraction, 1)}</td>'
        f'<td class="remark">{text_element(shown(row.reason), 0) if row.reason else ""}</td></tr>'
    )


_NO_ANSWER = '<span class="badge none">no answer</span>'


def text_element(text: ShownText, place: int) -> Markup:
    """Text of the input in a row, its long form on demand; `place` is where records.tsv has the rest."""
    if not text.whole:
        return Markup(f"<bdi>{escape(text.short)}</bdi>")
    left_off = ""
    if text.left_off:
        left_off = f" <em>and {number(text.left_off)} more letters, see records.tsv, row {number(place)}</em>"
    return Markup(
        f'<details class="long"><summary><bdi>{escape(text.short)}</bdi></summary>'
        f'<bdi tabindex="0">{escape(text.whole)}</bdi>{left_off}</details>'
    )


def _score(value: float | None) -> str:
    """A cell with a score, which sorts by all its digits."""
    exact = "" if value is None else f' data-value="{value}"'
    return f'<td class="number"{exact}>{score(value)}</td>'
