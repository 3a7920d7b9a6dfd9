"""A picture of tokens per second over time, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 900, 420, 70
COLOURS = ("#4477aa", "#228833", "#ee6677", "#aa3377")
WINDOW_SECONDS = 10.0

Done = Sequence[tuple[float, int]]
"""Seconds since the start at which a shard was done, and its tokens; in order."""


def rates(done: Done, *, step_seconds: float = 1.0) -> list[tuple[float, float]]:
    """(second, tokens a second), each over the WINDOW_SECONDS before it."""
    end = done[-1][0]
    points = []
    at = step_seconds
    while at <= end + step_seconds:
        inside = sum(tokens for when, tokens in done if at - WINDOW_SECONDS < when <= at)
        points.append((at, inside / min(at, WINDOW_SECONDS)))
        at += step_seconds
    return points


def write_curve(path: Path, runs: Mapping[str, Done], *, events: Mapping[str, float]) -> None:
    """One line a run, a dashed vertical line for each of `events` (name to seconds)."""
    curves = {name: rates(done) for name, done in runs.items()}
    longest = max(at for points in curves.values() for at, _ in points)
    highest = max(rate for points in curves.values() for _, rate in points)

    def x(at: float) -> float:
        return MARGIN + at / longest * (WIDTH - 2 * MARGIN)

    def y(rate: float) -> float:
        return HEIGHT - MARGIN - rate / highest * (HEIGHT - 2 * MARGIN)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M{MARGIN},{MARGIN} V{HEIGHT - MARGIN} H{WIDTH - MARGIN}" fill="none" stroke="black"/>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 25}" text-anchor="middle">seconds since the job was queued</text>',
        f'<text x="{MARGIN}" y="{MARGIN - 45}">ESM-2 tokens a second, over {WINDOW_SECONDS:.0f} seconds</text>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        label = f"{highest * share / 1e3:,.0f} K"
        parts.append(f'<text x="{MARGIN - 8}" y="{y(highest * share) + 4:.1f}" text-anchor="end">{label}</text>')
        at = longest * share
        parts.append(f'<text x="{x(at):.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{at:.0f}</text>')
    for name, at in events.items():
        parts.append(
            f'<path d="M{x(at):.1f},{MARGIN} V{HEIGHT - MARGIN}" stroke="gray" stroke-dasharray="4"/>'
            f'<text x="{x(at) + 4:.1f}" y="{MARGIN + 12}" fill="gray">{escape(name)}</text>'
        )
    for number, (name, points) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(f"{x(at):.1f},{y(rate):.1f}" for at, rate in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{MARGIN + 10}" y="{MARGIN - 28 + 15 * number}" fill="{colour}">{escape(name)}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")
