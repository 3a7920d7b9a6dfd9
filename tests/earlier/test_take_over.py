from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from earlier.deaths import WITHOUT_RESULTS, Finished
from earlier.folders import Computed, Folder, random_records

from virnucpro_tasks.earlier.expected import ExpectedFrames
from virnucpro_tasks.earlier.layout import Layout, Tool, find_layout
from virnucpro_tasks.earlier.reasons import Reason
from virnucpro_tasks.earlier.take_over import (
    COMPARED,
    COMPARED_IF_OLDER,
    COPIED,
    NO_SEQUENCES,
    OLDER,
    take_over,
)
from virnucpro_tasks.jobs.imported import ALL_ASKED_FOR, ImportCheck, ImportedWork
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.shards.imported import ImportedVectors
from virnucpro_tasks.shards.kinds import NUCLEOTIDE, PROTEIN

FolderOf = Callable[..., Folder]
HALF_TOLERANCE = 2e-3


@pytest.fixture(scope="session")
def expected(earlier_run: Computed) -> ExpectedFrames:
    return ExpectedFrames.of([ReadInput(earlier_run.input, "reads.fa")], chunk_length=500, min_length=60)


@pytest.fixture
def taken(expected: ExpectedFrames, earlier_run: Computed, tmp_path: Path) -> Callable[[Path], ImportedWork]:
    """What is taken over from a folder; every vector of it is compared with the one that was computed."""

    def take(folder: Path) -> ImportedWork:
        place = tmp_path / f"imported-{len(list(tmp_path.iterdir()))}"
        place.mkdir()
        bundle = demo_bundle()
        work = take_over(find_layout(folder), expected, bundle, place)
        for kind, texts, true in (
            (NUCLEOTIDE, earlier_run.nucleotides, earlier_run.nucleotide),
            (PROTEIN, earlier_run.proteins, earlier_run.protein),
        ):
            store = ImportedVectors.open(place, kind, width=true.shape[1], bundle_digest=bundle.digest)
            assert store is not None and store.index.digest == work.digests[kind]
            found = store.find(texts)
            assert len(set(np.array(texts)[found.places])) == work.found[kind]
            assert np.abs(found.vectors - true[found.places]).max(initial=0) < HALF_TOLERANCE
        return work

    return take


def reasons(work: ImportedWork) -> dict[str, int]:
    counted: dict[str, int] = {}
    for source in work.sources:
        for reason, number in source.discarded.items():
            counted[reason] = counted.get(reason, 0) + number
    return counted


@pytest.mark.parametrize("tool", ["original", "v1", "v2"])
def test_a_finished_folder_has_every_vector(tool: str, folder_of: FolderOf, taken: Callable) -> None:
    work = taken(folder_of(tool).root)
    assert work.found == work.wanted and min(work.wanted.values()) > 100
    assert set(reasons(work)) <= {Reason.REPEATED}
    assert work.precisions == {NUCLEOTIDE: ["fp32"], PROTEIN: ["fp32" if tool == "original" else "fp16"]}


def test_what_the_folder_does_not_prove_is_compared_as_a_whole(
    folder_of: FolderOf, expected: ExpectedFrames, tmp_path: Path
) -> None:
    folder = folder_of("v2", checkpoints=True)
    layout = find_layout(folder.root)

    def shares(layout: Layout, check: ImportCheck = ImportCheck.PROVED) -> set[tuple[float, str]]:
        place = tmp_path / f"taken-{len(list(tmp_path.iterdir()))}"
        place.mkdir()
        work = take_over(layout, expected, demo_bundle(), place, check=check)
        assert work.found == work.wanted
        return {(source.compared, source.doubt) for source in work.sources if source.taken}

    assert shares(layout) == {(COMPARED, "")}
    assert shares(layout, ImportCheck.ALL) == {(1.0, ALL_ASKED_FOR)}
    # Sequences of half of the frames are left, as the others were cleaned up.
    left = tuple(file for file in layout.sequences if file.name == "output_1.fa")
    partly = shares(replace(layout, sequences=left))
    assert partly == {(COMPARED, ""), (1.0, NO_SEQUENCES)}
    assert shares(replace(layout, sequences=()), ImportCheck.SAMPLE) == {(COMPARED, "")}
    # Copied without its times: the vectors look newer than the sequences, whichever were there first.
    for copied in (replace(layout, cut_between=(0.0, 1.0)), replace(layout, cut_between=None)):
        assert shares(copied) == {(1.0, COPIED)}
        assert shares(copied, ImportCheck.SAMPLE) == {(COMPARED, "")}
        # The original has no notes.
        assert shares(replace(copied, tool=Tool.ORIGINAL)) == {(COMPARED, "")}
    for file in left:
        os.utime(file, (2**32, 2**32))
    assert shares(layout) == {(1.0, OLDER)}
    assert shares(layout, ImportCheck.SAMPLE) == {(COMPARED_IF_OLDER, "")}


def test_files_of_several_gpus_have_other_names(folder_of: FolderOf, taken: Callable) -> None:
    work = taken(folder_of("v1", multi_gpu=True).root)
    assert work.found == work.wanted


def test_checkpoints_are_believed_before_what_a_resumed_worker_wrote(folder_of: FolderOf, taken: Callable) -> None:
    folder = folder_of("v2", checkpoints=True)
    folder.workers(resumed=True, scrambled=True)
    work = taken(folder.root)
    assert work.found == work.wanted
    used = {source.file for source in work.sources if source.kind == PROTEIN and source.taken}
    assert used and all(".checkpoints/shard_" in file for file in used)
    discarded = reasons(work)[Reason.MAY_BE_RESUMED]
    assert discarded >= len(folder.run.ids)


def _no_logs(esm: Path) -> None:
    for log in (esm / "logs").iterdir():
        log.unlink()


def _log_is_a_folder(esm: Path) -> None:
    (esm / "logs" / "worker_1.log").unlink()
    (esm / "logs" / "worker_1.log").mkdir()


def _lost_with_its_shard(esm: Path) -> None:
    (esm / "logs" / "worker_1.log").unlink()
    # All shards are in this file.
    (esm / "shard_0.h5").rename(esm / "embeddings.h5")
    (esm / "shard_1.h5").unlink()
    (esm.parent / ".checkpoints" / "manifest.json").write_text('{"world_size": 2}')


DOUBTS: dict[str, Callable[[Path], object]] = {
    "logs lost": _no_logs,
    "one log lost": lambda esm: (esm / "logs" / "worker_1.log").unlink(),
    "one log empty": lambda esm: (esm / "logs" / "worker_1.log").write_bytes(b""),
    "one log a folder": _log_is_a_folder,
    "a log lost with its shard": _lost_with_its_shard,
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_workers_that_may_have_been_resumed_are_not_believed(doubt: str, folder_of: FolderOf, taken: Callable) -> None:
    folder = folder_of("v2")
    folder.workers(scrambled=True)
    DOUBTS[doubt](folder.root / "esm_v2")
    work = taken(folder.root)
    assert work.found == {NUCLEOTIDE: work.wanted[NUCLEOTIDE], PROTEIN: 0}


def test_a_checkpoint_with_more_rows_than_ids_is_not_used(folder_of: FolderOf, taken: Callable) -> None:
    folder = folder_of("v2", checkpoints=True)
    folder.workers(resumed=True)
    places = list(range(20))
    wrong = folder.batch(0, 0, places, ids=folder.run.ids[:10])
    work = taken(folder.root)
    (source,) = (source for source in work.sources if source.file == str(wrong.relative_to(folder.root)))
    assert source.unusable == "it has 10 ids and 20 vectors"
    assert 0 < work.found[PROTEIN] < work.wanted[PROTEIN]


def spoilt(kind: str, file: Path) -> None:
    """Make a file of joined vectors unusable in one way."""
    content = torch.load(file) if kind in CHANGED else {}
    if kind == "empty":
        file.write_bytes(b"")
    elif kind == "cut off":
        file.write_bytes(file.read_bytes()[:-100])
    elif kind == "flipped bit":
        whole = bytearray(file.read_bytes())
        whole[len(whole) // 2] ^= 1
        file.write_bytes(whole)
    elif kind == "no zip":
        torch.save({"ids": [], "data": torch.zeros(0)}, file, _use_new_zipfile_serialization=False)
    elif kind == "missing":
        file.unlink()
        file.with_name(file.name + ".done").touch()
    elif kind == "malicious":
        torch.save({"ids": Malicious(), "data": torch.zeros(1, 320)}, file)
    elif kind == "other zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("readme.txt", "hello")
    else:
        torch.save(content | CHANGED[kind](content), file)


class Malicious:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("hacked",)


def _within_itself(depth: int) -> list:
    nested: list = [0.0]
    for _ in range(depth):
        nested = [nested, nested]
    return nested


CHANGED: dict[str, Callable[[dict], dict]] = {
    "shifted ids": lambda content: {"ids": [*content["ids"], "another_chunk_1F1"]},
    "other model": lambda content: {"data": content["data"][:, :-1]},
    "newer version": lambda content: {"version": "2.0"},
    "not completed": lambda content: {"status": "in_progress"},
    "ids that are no texts": lambda content: {"ids": list(range(len(content["ids"])))},
    "no numbers": lambda content: {"data": "none"},
    "one vector many times": lambda content: {"ids": ["r"] * 10**5, "data": [[0.0] * 320] * 10**5},
    "one id many times": lambda content: {"ids": ["r" * 10**5] * 10**3, "data": content["data"]},
    "a list within itself": lambda content: {"data": _within_itself(40)},
    "two pairs of keys": lambda content: {"proteins": content["ids"]} | {"embeddings": 1, "sequence_ids": 1},
}
UNUSABLE = {
    "empty": "no complete zip file",
    "cut off": "no complete zip file",
    "flipped bit": "damaged",
    "no zip": "no complete zip file",
    "missing": "a mark of completeness without its file",
    "malicious": "refused: it asks for 'posix.mkdir'",
    "other zip": "none of torch",
    "shifted ids": "61 ids and 60 vectors: which are whose can no longer be told",
    "other model": "319 wide, those of the bundle 320: another model",
    "newer version": "of version '2.0', newer than what is known",
    "not completed": "not completed",
    "ids that are no texts": "an id is no text",
    "no numbers": "no numbers",
    "one vector many times": "more than a file of its size can",
    "one id many times": "more than a file of its size can",
    "a list within itself": "no numbers",
    "two pairs of keys": "no vectors with their ids",
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_file_that_cannot_be_used_says_why_and_its_vectors_are_computed(
    kind: str, folder_of: FolderOf, taken: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = folder_of("v1")
    for name in ("nucleotide", "protein"):
        for file in (folder.root / f"reads_{name}").glob("*.pt*"):
            file.unlink()
    spoilt(kind, folder.root / "reads_merged" / "output_2_merged.pt")
    work = taken(folder.root)
    (reason,) = (source.unusable for source in work.sources if source.unusable)
    assert UNUSABLE[kind] in reason
    assert 0 < work.found[PROTEIN] < work.wanted[PROTEIN]
    assert not Path("hacked").exists()


def test_vectors_of_another_input_are_not_found(folder_of: FolderOf, earlier_run: Computed, tmp_path: Path) -> None:
    other = random_records(tmp_path / "other.fa", seed=8)
    frames = ExpectedFrames.of([ReadInput(other, "other.fa")], chunk_length=500, min_length=60)
    place = tmp_path / "taken"
    place.mkdir()
    work = take_over(find_layout(folder_of("v1").root), frames, demo_bundle(), place)
    # Both have records r0, r1 and so on, whose frames are others.
    assert work.is_empty
    assert set(reasons(work)) == {Reason.UNKNOWN_ID, Reason.OTHER_SEQUENCE}


@pytest.mark.parametrize("tool", ["original", "v1"])
def test_runs_on_other_inputs_in_the_same_folder_are_left_out(
    tool: str, folder_of: FolderOf, earlier_run: Computed, expected: ExpectedFrames, tmp_path: Path
) -> None:
    root = folder_of(tool).root
    # Another assembly, with the same ids.
    turned = {name: getattr(earlier_run, name)[::-1] for name in ("nucleotides", "proteins", "nucleotide", "protein")}
    Folder(root, replace(earlier_run, **turned), tool, stem="reads_2").stage_files()
    layout = find_layout(root)
    for name, found in (("reads.fasta.gz", expected), ("/data/reads.fa", expected), ("renamed.fa", [])):
        place = tmp_path / f"taken from {Path(name).name}"
        place.mkdir()
        work = take_over(layout.of_inputs([name]), expected, demo_bundle(), place)
        assert work.found[PROTEIN] == (work.wanted[PROTEIN] if len(found) else 0)
        assert (Reason.OTHER_SEQUENCE in reasons(work)) is not bool(len(found))


def test_ids_that_two_records_have_and_u_are_no_proof(
    earlier_run: Computed, folder_of: FolderOf, tmp_path: Path
) -> None:
    text = earlier_run.input.read_text()
    _, first, second, *_ = text.split(">")[1:]
    changed = tmp_path / "changed.fa"
    changed.write_text(text.replace(f">{second}", f">{second.replace('T', 'U')}") + f">{first}")
    frames = ExpectedFrames.of([ReadInput(changed, "changed.fa")], chunk_length=500, min_length=60)
    place = tmp_path / "taken"
    place.mkdir()
    found = reasons(take_over(find_layout(folder_of("v1").root), frames, demo_bundle(), place))
    assert found[Reason.AMBIGUOUS_ID] > 0 and found[Reason.URACIL] > 0


def test_not_a_number_and_contradictions_are_discarded(
    folder_of: FolderOf, taken: Callable, earlier_run: Computed
) -> None:
    folder = folder_of("v1")
    file = folder.root / "reads_merged" / "output_1_merged.pt"
    content = torch.load(file)
    content["data"][0, 0] = float("nan")
    content["data"][1] *= 1.5
    torch.save(content, file)
    work = taken(folder.root)
    found = reasons(work)
    assert found[Reason.NOT_FINITE] == 1
    # The vector that was taken over before, and the one that contradicts it, of both kinds.
    assert found[Reason.CONTRADICTED] == 4
    assert {kind: work.wanted[kind] - work.found[kind] for kind in work.found} == {NUCLEOTIDE: 1, PROTEIN: 1}


def test_lengths_in_the_index_of_version_2_are_compared(folder_of: FolderOf, taken: Callable) -> None:
    folder = folder_of("v2")
    index = folder.root / "esm_v2" / "sequence_index.json"
    entries = json.loads(index.read_bytes())
    entries["sequences"][0]["length"] += 1
    index.write_text(json.dumps(entries))
    assert reasons(taken(folder.root))[Reason.OTHER_LENGTH] > 0


@pytest.mark.parametrize("content", ["", "[1", "[]", '{"sequences": 3}', '{"sequences": [1, {"length": 1e400}]}'])
def test_a_damaged_index_of_version_2_says_nothing(content: str, folder_of: FolderOf, taken: Callable) -> None:
    folder = folder_of("v2")
    (folder.root / "esm_v2" / "sequence_index.json").write_text(content)
    work = taken(folder.root)
    assert work.found == work.wanted


def test_damaged_hdf5_is_not_used(folder_of: FolderOf, taken: Callable) -> None:
    folder = folder_of("v2")
    for file in folder.root.rglob("*.pt"):
        file.unlink()
    shards = sorted(folder.root.rglob("*.h5"))
    shards[0].write_bytes(shards[0].read_bytes()[:-2_000])
    with h5py.File(shards[1], "w") as empty:
        empty.create_dataset("embeddings", data=np.zeros((0, 0), np.float32))
        empty.create_dataset("sequence_ids", data=[], dtype=h5py.string_dtype())
    work = taken(folder.root)
    assert work.is_empty
    assert any("damaged, or was cut off" in source.unusable for source in work.sources)


def test_hdf5_without_the_numbers_that_it_says_to_hold_is_not_read(folder_of: FolderOf, taken: Callable) -> None:
    folder = folder_of("v2")
    place = folder.root / "esm_v2" / "shard_0.h5"
    place.unlink()
    with h5py.File(place, "w") as sparse:
        sparse.create_dataset("embeddings", shape=(10**9, 160), dtype="f4", chunks=(1000, 160))
        sparse.create_dataset("sequence_ids", shape=(10**9,), dtype=h5py.string_dtype(), chunks=(1000,))
    (source,) = (source for source in taken(folder.root).sources if source.file == "esm_v2/shard_0.h5")
    assert source.unusable == "it says to hold more than a file of its size can"


@pytest.mark.parametrize(("tool", "stage", "death"), WITHOUT_RESULTS)
def test_what_a_run_that_died_has_finished_is_taken_over(
    tool: str, stage: str, death: str, finished_runs: dict[str, Finished], taken: Callable, tmp_path: Path
) -> None:
    # The other deaths are in cli/test_earlier_resume.py.
    folder = tmp_path / "died"
    died = finished_runs[tool].died(folder, stage, death)
    died.require_account(taken(folder).report())
