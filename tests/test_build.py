"""The build: the code that counts, and what does not."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import pytest
from test_layers import PACKAGE, imports_of

from virnucpro_tasks import build
from virnucpro_tasks.build import RESULT_PACKAGES, effective_code, installed_build, named_build, own_build

SOURCE = '''"""Docstring, with a # in it."""
import re

HASH = "#"  # a comment
TEXT = """
# no comment

{template}
"""


def f():  # another
    """Docstring of
    several lines.
    """
    return re.escape('"""#')
'''
NO_RESULTS = {"build", "errors", "keys", "paths", "settings", "system"}
"""Packages and modules that the pipeline imports, whose code changes no bytes of results."""


def test_comments_docstrings_and_empty_lines_do_not_count() -> None:
    kept = (
        b'import re\nHASH = "#"\nTEXT = """\0# no comment\0\0{template}\0"""\ndef f():\n    return re.escape(\'"""#\')'
    )
    assert effective_code(SOURCE.encode()) == kept
    assert effective_code(SOURCE.replace("\n", "\r\n").encode()) == kept


@pytest.mark.parametrize(
    ("old", "new"),
    [('"#"', '"##"'), ("{template}", "{other}"), ("# no comment\n\n", "# no comment\n"), ('\'"""#\'', "''")],
)
def test_texts_and_code_count(old: str, new: str) -> None:
    assert old in SOURCE
    assert effective_code(SOURCE.replace(old, new).encode()) != effective_code(SOURCE.encode())


def without_comments_and_docstrings(source: str) -> str:
    """Source as Python's own tokenizer and parser see it, without any white space."""
    lines = source.splitlines(keepends=True)
    starts = list(accumulate((len(line.encode()) for line in lines), initial=0))

    def place(line: int, characters: int) -> int:
        return starts[line - 1] + len(lines[line - 1][:characters].encode())

    spans = [
        (place(*token.start), place(*token.end))
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            # The parser counts bytes.
            spans.append((starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset))
    content = bytearray(source.encode())
    for begin, end in sorted(spans, reverse=True):
        del content[begin:end]
    return "".join(content.decode().split())


def test_nothing_but_comments_and_docstrings_of_this_package_is_left_out() -> None:
    compared = 0
    for name in RESULT_PACKAGES:
        for file in (PACKAGE / name).rglob("*.py"):
            found = effective_code(file.read_bytes()).decode().replace("\0", "")
            assert "".join(found.split()) == without_comments_and_docstrings(file.read_text()), file
            compared += 1
    assert compared > 200


def test_all_that_the_pipeline_imports_is_part_of_it() -> None:
    seen, wanted = set(), list((PACKAGE / "pipeline").glob("*.py"))
    while wanted:
        file = wanted.pop()
        if file in seen:
            continue
        seen.add(file)
        for name in imports_of(file):
            if name.startswith("virnucpro_tasks.") and name.split(".")[1] not in NO_RESULTS:
                place = PACKAGE.joinpath(*name.split(".")[1:])
                wanted += [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()]
    parts = {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in seen}
    assert parts <= set(RESULT_PACKAGES), "name a new package in RESULT_PACKAGES, or here with good reason"
    # Vectors of earlier tools are taken over before, by the command that makes the job.
    assert set(RESULT_PACKAGES) - parts == {"earlier"}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name in (*RESULT_PACKAGES, "cli"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "code.py").write_text(SOURCE)
    (tmp_path / "report" / "page.html").write_text("<p>")
    return tmp_path


CHANGES: dict[str, Callable[[Path], object]] = {
    "code": lambda package: (package / "embed" / "code.py").write_text(SOURCE + "f()\n"),
    "a page": lambda package: (package / "report" / "page.html").write_text("<b>"),
    "a module more": lambda package: (package / "models" / "more.py").write_text(""),
    "another name": lambda package: (package / "reads" / "code.py").rename(package / "reads" / "other.py"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_build_is_known_by_its_code(change: str, package: Path) -> None:
    before = installed_build(package)
    CHANGES[change](package)
    assert installed_build(package) != before


def test_the_same_build_is_known_whatever_surrounds_it(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = installed_build(package)
    (package / "cli" / "code.py").write_text("print()\n")
    (package / "embed" / "code.py").write_text("# A comment\n" + SOURCE)
    (package / "embed" / "__pycache__").mkdir()
    (package / "embed" / "__pycache__" / "code.cpython-311.pyc").write_bytes(b"x")
    assert installed_build(package) == before
    monkeypatch.setattr(build, "version", lambda _name: "99.0")
    assert installed_build(package) != before


def test_a_process_keeps_its_build() -> None:
    assert own_build() == installed_build() == own_build()
    assert len(own_build()) == 10 and named_build("1.0", own_build()) == f"version 1.0 (build {own_build()})"
    assert named_build("0.7.0", "") == "version 0.7.0"
