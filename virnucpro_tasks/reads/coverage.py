"""What stands for the chunks of a record. In a file of its own, because clients name it and need no tables."""

from __future__ import annotations

from enum import StrEnum


class Coverage(StrEnum):
    """What stands for a chunk: its open frames alone, or its longest segment where it has none."""

    FRAMES = "frames"
    SEGMENTS = "segments"
