"""The build that is installed: its version, and the digest of the code that the bytes of results depend on.

Workers compute and finish jobs of their own build alone, so no job is of two. Comments, docstrings and empty lines are
no part of the digest; neither are the command line, the queue and the workers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

DISTRIBUTION = "virnucpro-tasks"

RESULT_PACKAGES = (
    "classifier",
    "earlier",
    "embed",
    "jobs",
    "models",
    "output",
    "pipeline",
    "reads",
    "recovery",
    "report",
    "shards",
)
"""The packages whose code decides what the files of a job and its results hold."""

CODE, PAGE_PARTS = ".py", (".css", ".html", ".js")

BUILD_CHARACTERS = 10

_TEXTS_AND_COMMENTS = re.compile(
    rb'"(?:""(?:[^"\\]+|\\.|"(?!""))*"""|[^"\\\n]*(?:\\.[^"\\\n]*)*")'
    rb"|'(?:''(?:[^'\\]+|\\.|'(?!''))*'''|[^'\\\n]*(?:\\.[^'\\\n]*)*')"
    rb"|\#[^\n]*",
    re.DOTALL,
)


@cache
def own_build() -> str:
    """The build of this process (hex), as it was when it was asked for first."""
    return installed_build()


def installed_build(package: Path | None = None) -> str:
    """The build (hex) in the folder `package`, by default the one of this module; equal for all versions of Python.

    Raises OSError.
    """
    found = hashlib.sha256(version(DISTRIBUTION).encode())
    folder = package or Path(__file__).resolve().parent
    for file in sorted(_files(folder)):
        content = file.read_bytes()
        counts = effective_code(content) if file.suffix == CODE else content
        for part in (str(file.relative_to(folder)).encode(), counts):
            found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()[:BUILD_CHARACTERS]


def _files(folder: Path) -> Iterator[Path]:
    for name in RESULT_PACKAGES:
        for file in (folder / name).rglob("*"):
            if file.suffix == CODE or file.suffix in PAGE_PARTS:
                yield file


def effective_code(source: bytes) -> bytes:
    """Return Python source without comments, docstrings, empty lines and spaces at the ends of lines."""
    source = source.replace(b"\r\n", b"\n")

    def counts(found: re.Match[bytes]) -> bytes:
        text = found[0]
        if text.startswith(b"#"):
            return b""
        if not text.startswith(b'"""'):
            return text
        before = source[source.rfind(b"\n", 0, found.start()) + 1 : found.start()]
        is_docstring = not before.strip() and source[found.end() : found.end() + 1] in (b"\n", b"")
        # Its lines are not those of the code.
        return b"" if is_docstring else text.replace(b"\n", b"\0")

    lines = _TEXTS_AND_COMMENTS.sub(counts, source).split(b"\n")
    return b"\n".join(filter(None, map(bytes.rstrip, lines)))


def named_build(of_version: str, build: str) -> str:
    """Say which build is meant; versions up to 0.7.0 tell none."""
    return f"version {of_version} (build {build})" if build else f"version {of_version}"
