"""Choice of the rules by which inputs are read. Clients name it, and need no tables for that."""

from __future__ import annotations

from enum import StrEnum


class Compat(StrEnum):
    """The rules for input where this package differs from the original tool: its own, or those of the original."""

    NONE = "none"
    ORIGINAL = "original"
