"""What the documents say of columns, files, statuses and exit codes is what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from virnucpro_tasks.cli.main import COMMANDS
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.output.chunk_scores import INTERVAL_COLUMNS
from virnucpro_tasks.output.chunks import CHUNK_COLUMNS
from virnucpro_tasks.output.contigs import CONTIG_COLUMNS
from virnucpro_tasks.output.records import RECORD_COLUMNS
from virnucpro_tasks.output.region_files import BED_COLUMNS, GFF_ATTRIBUTES, GFF_COLUMNS
from virnucpro_tasks.output.samples import SAMPLE_COLUMNS
from virnucpro_tasks.output.table import SAMPLE_COLUMN, Column
from virnucpro_tasks.output.tables import FILES
from virnucpro_tasks.output.virus_summary import VIRUS_SUMMARY_COLUMNS
from virnucpro_tasks.reads.tables import Status

ROOT = Path(__file__).resolve().parents[1]
OUTPUTS = (ROOT / "docs" / "outputs.md").read_text()
README = (ROOT / "README.md").read_text()


def described(start: str) -> list[tuple[str, str]]:
    """Names and meanings in the first table after the line `start`."""
    table = OUTPUTS.partition(f"{start}\n")[2].partition("\n|")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(.+?)` \| (.+) \|$", table, re.MULTILINE)


def test_every_file_is_described() -> None:
    assert described("# Outputs and exit codes") == list(FILES.items())


@pytest.mark.parametrize(
    ("file", "columns"),
    [
        ("records.tsv", (*RECORD_COLUMNS, SAMPLE_COLUMN)),
        ("virus_summary.tsv", VIRUS_SUMMARY_COLUMNS),
        ("contigs.tsv", CONTIG_COLUMNS),
        ("chunks.tsv", (*CHUNK_COLUMNS, SAMPLE_COLUMN)),
        ("samples.tsv", SAMPLE_COLUMNS),
        ("virus_regions.bed", BED_COLUMNS),
        ("virus_regions.gff3", GFF_COLUMNS),
        ("chunk_scores.bedgraph", INTERVAL_COLUMNS),
    ],
)
def test_every_column_is_described_as_it_is_declared(file: str, columns: tuple[Column[Any], ...]) -> None:
    assert described(f"## {file}") == [(column.name, column.meaning) for column in columns]


def test_every_attribute_is_described_as_it_is_declared() -> None:
    attributes = re.findall(
        r"^\| `(.+?)` \| (.+) \|$", OUTPUTS.partition("| attribute |")[2].partition("\n\n")[0], re.M
    )
    assert attributes == [(column.name, column.meaning) for column in GFF_ATTRIBUTES]


@pytest.mark.parametrize("name", Status)
def test_every_status_is_described(name: str) -> None:
    assert f"`{name}`" in OUTPUTS


def test_every_exit_code_is_described() -> None:
    described = {int(number) for number in re.findall(r"^\| (\d+) \|", OUTPUTS, re.MULTILINE)}
    assert described == {int(code) for code in ExitCode}


def test_the_readme_names_every_command() -> None:
    assert [command for command in COMMANDS if f"`{command}`" not in README] == []


PAGES = [
    *sorted(ROOT.glob("*.md")),
    *(
        page
        for folder in ("docs", "deploy", "examples", "benchmarks/notes")
        for page in sorted((ROOT / folder).rglob("*.md"))
    ),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def located(file: str) -> Path:
    """A file as documents name it: from the package, or from the root of the repository."""
    return ROOT / file if (ROOT / file).exists() else ROOT / "virnucpro_tasks" / file


def test_files_and_functions_named_by_the_architecture_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    for file, function in re.findall(r"`([a-z_0-9/]+\.py)` `([A-Za-z_]+)`", text):
        assert re.search(rf"(def|class) {function}\b", located(file).read_text()), (file, function)
    for file in re.findall(r"`([a-z_0-9/]+\.py)`", text):
        assert located(file).is_file(), file


def test_files_and_names_in_the_recipes_for_contributors_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    files = re.findall(r"`([\w./-]+/[\w.-]*)`", text)
    assert len(files) > 20
    assert [file for file in files if not located(file).exists() and not file.startswith((".venv", "build/"))] == []
    named = re.findall(r"`([A-Z_][A-Za-z_]+)` in\s+`([\w/]+\.py)`", text)
    assert len(named) > 5
    for name, file in named:
        assert re.search(rf"\b{name}\b", located(file).read_text()), (file, name)


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text())
    assert listed == sorted(page.name for page in folder.glob("0*.md"))
