"""Choice of the sequences that stand for chunks. Clients name it, and need no tables for that."""

from __future__ import annotations

from enum import StrEnum


class Coverage(StrEnum):
    """Sequences that stand for a chunk: its open frames alone, or its longest segment where it has none."""

    FRAMES = "frames"
    SEGMENTS = "segments"
