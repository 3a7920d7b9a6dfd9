"""Every text in the sources, with `…` where a value is put in."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "virnucpro_tasks").rglob("*.py"), *(ROOT / "workers").rglob("*.py")])
VALUE = "…"


@cache
def texts(part: str = "") -> set[str]:
    """The string constants and f-strings of the files in which `part` stands."""
    found: set[str] = set()
    for file in SOURCES:
        source = file.read_text()
        for node in ast.walk(ast.parse(source)) if part in source else ():
            if isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values)
                found.add("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found
