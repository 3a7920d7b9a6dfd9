"""A picture of how many workers there are over time, and how many of them are at shards, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 900, 420, 70
PRESENT, AT_SHARDS = "#bbbbbb", "#4477aa"

Counts = Sequence[Sequence[float]]
"""Pairs of a second and a number of workers, in order."""


def write_worker_curve(path: Path, *, present: Counts, at_shards: Counts) -> None:
    """Write the number of workers as a grey area, and those at shards as a line."""
    longest = present[-1][0]
    highest = max(count for _, count in present)

    def points(counts: Counts) -> str:
        return " ".join(
            f"{MARGIN + at / longest * (WIDTH - 2 * MARGIN):.1f},"
            f"{HEIGHT - MARGIN - count / highest * (HEIGHT - 2 * MARGIN):.1f}"
            for at, count in counts
        )

    area = [[present[0][0], 0.0], *present, [present[-1][0], 0.0]]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<polygon points="{points(area)}" fill="{PRESENT}"/>',
        f'<polyline points="{points(at_shards)}" fill="none" stroke="{AT_SHARDS}" stroke-width="2"/>',
        f'<path d="M{MARGIN},{MARGIN} V{HEIGHT - MARGIN} H{WIDTH - MARGIN}" fill="none" stroke="black"/>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 25}" text-anchor="middle">seconds</text>',
        f'<text x="{MARGIN + 10}" y="{MARGIN - 30}" fill="#666666">workers that have joined and not left</text>',
        f'<text x="{MARGIN + 10}" y="{MARGIN - 12}" fill="{AT_SHARDS}">workers at a shard</text>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN)
        x = MARGIN + share * (WIDTH - 2 * MARGIN)
        parts.append(f'<text x="{MARGIN - 8}" y="{y + 4:.1f}" text-anchor="end">{highest * share:.0f}</text>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{longest * share:.0f}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")
