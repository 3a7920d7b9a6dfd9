from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from earlier.folders import Computed, Folder

from virnucpro_tasks.earlier.expected import ExpectedFrames
from virnucpro_tasks.earlier.layout import STATE_FILE, find_layout
from virnucpro_tasks.earlier.reasons import Reason
from virnucpro_tasks.earlier.take_over import take_over
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.reads.inputs import ReadInput

FolderOf = Callable[..., Folder]


@pytest.mark.parametrize(
    ("tool", "found", "length"),
    [("original", "original", None), ("v1", "package 1.0", 500), ("v2", "package 2.0", 500)],
)
def test_the_tool_is_recognised(tool: str, found: str, length: int | None, folder_of: FolderOf) -> None:
    layout = find_layout(folder_of(tool).root)
    assert (layout.tool, layout.chunk_length, layout.may_be_resumed) == (found, length, False)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b'{"stages": 3}', b"\xff", b"[" * 100_000])
def test_notes_that_are_none_are_no_proof_of_a_tool(content: bytes, tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).parent.mkdir()
    (tmp_path / STATE_FILE).write_bytes(content)
    with pytest.raises(InputError, match=r"no folder of the original tool.*identified_nucleotide"):
        find_layout(tmp_path)


@pytest.mark.parametrize("stated", [True, "500", -5, 0, 10**30, None, [500]])
def test_a_note_of_no_chunk_length_says_nothing(stated: object, tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).parent.mkdir()
    (tmp_path / STATE_FILE).write_text(json.dumps({"stages": {}, "pipeline_config": {"expected_length": stated}}))
    assert find_layout(tmp_path).chunk_length is None


@pytest.mark.parametrize(
    ("begin", "end", "found"),
    [
        ("2026-01-22T17:32:57.750130", "2026-01-22T17:33:00", (1769103177.75013, 1769103180.0)),
        ("2026-01-22T17:32:57", None, None),
        (3, "now", None),
    ],
)
def test_notes_say_when_sequences_were_written(begin: object, end: object, found: object, tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).parent.mkdir()
    stages = {"TRANSLATION": {"started_at": begin}, "PROTEIN_SPLITTING": {"completed_at": end}}
    (tmp_path / STATE_FILE).write_text(json.dumps({"stages": stages}))
    assert find_layout(tmp_path).cut_between == found


def test_folders_of_other_runs_and_links_to_folders_are_left_out(folder_of: FolderOf, tmp_path: Path) -> None:
    outer, inner = folder_of("original").root, folder_of("v1").root
    inner.rename(outer / "another")
    (outer / "link").symlink_to(tmp_path)
    layout = find_layout(outer)
    assert layout.vectors and all("another" not in str(file) and "link" not in str(file) for file in layout.vectors)


def test_a_file_is_no_folder(earlier_run: Computed) -> None:
    with pytest.raises(InputError, match="Not a directory"):
        find_layout(earlier_run.input)


REAL = {
    "test_fixed_500bp_refactored": "test_fixed_500bp.fa",
    "test_with_orfs_refactored": "test_with_orfs.fa",
    ".": "test_fixed_500bp.fa",
}


@pytest.mark.parametrize("folder", REAL)
def test_real_folders_are_taken_over_as_far_as_they_are_of_the_input(
    folder: str, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shared / "reference"
    source = root / REAL[folder]
    frames = ExpectedFrames.of([ReadInput(source, source.name)], chunk_length=500, min_length=60)
    shipped = demo_bundle()
    # Their weights are not at hand: that the vectors are of the sequences is for the ids to tell.
    widths = msgspec.structs.replace(shipped.description, nucleotide_width=768, protein_width=2_560)
    layout = find_layout(root / folder)
    assert (layout.cut_between is None) == (folder == ".")
    work = take_over(layout, frames, Bundle(shipped.path, widths), tmp_path)
    assert work.wanted == {"nucleotide": len(frames), "protein": len(frames)} and len(frames) == 4
    assert work.found == work.wanted
    assert work.precisions == {"nucleotide": ["fp32"], "protein": ["fp32" if folder == "." else "fp16"]}
    unknown = sum(source.discarded.get(Reason.UNKNOWN_ID, 0) for source in work.sources)
    # Beside the original's folders lie those of its other inputs.
    assert unknown == (32 if folder == "." else 0)
    assert not [source.unusable for source in work.sources if source.unusable]
