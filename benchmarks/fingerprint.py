"""Describes the machine that a figure comes from, and writes a result as JSON and as a table."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("virnucpro-tasks", "celery", "redis", "numpy", "pyarrow", "torch")


def fingerprint() -> dict[str, Any]:
    """Processor, cores, memory in bytes, operating system, Python and package versions."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": versions,
    }


def write_result(stem: Path, content: dict[str, Any], *, rows: Sequence[Sequence[str]], header: Sequence[str]) -> None:
    """Write `stem`.json and `stem`.md, and print the table."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
    lines = [header, ["---"] * len(header), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
    stem.with_suffix(".md").write_text(table)
    print(table, end="")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
