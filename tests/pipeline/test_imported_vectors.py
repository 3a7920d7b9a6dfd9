"""Jobs that take over vectors of an earlier tool: what is computed, compared and refused."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from earlier.folders import Computed, Folder
from job import make_job, run_job, vectors_of

from virnucpro_tasks.earlier.importing import importing
from virnucpro_tasks.embed.encoder import NonFiniteError
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.jobs.deduplicate import content_key
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.vectors import read_shard_vectors
from virnucpro_tasks.pipeline.imported_vectors import LEAST_COMPARED, Imports, embed_sequences
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.engine_stats import IMPORT_COUNTERS, EngineStats
from virnucpro_tasks.shards.imported import ImportedVectors, Index, sequence_digests, vectors_file
from virnucpro_tasks.shards.kinds import NUCLEOTIDE, PROTEIN
from virnucpro_tasks.shards.plan import read_plan

FolderOf = Callable[..., Folder]


@pytest.fixture
def imported(earlier_run: Computed, settings: Settings) -> Callable[[Path], Job]:
    """A finished job over the input of the run, which took over what is in a folder; its vectors are true."""

    def run_with(folder: Path) -> Job:
        job = make_job(settings, earlier_run.input, keep_embeddings=True, importing=importing(folder))
        run_job(job, settings)
        vectors = vectors_of(job)
        for own, row, true in (
            (vectors.nucleotide, vectors.nucleotide_row, earlier_run.nucleotide),
            (vectors.protein, vectors.protein_row, earlier_run.protein),
        ):
            assert np.abs(own[row] - true).max() < 2e-3
        return job

    return run_with


def report_of(job: Job) -> dict:
    return json.loads(job.paths.run.read_bytes())


def test_vectors_that_were_taken_over_are_not_computed(
    imported: Callable, folder_of: FolderOf, earlier_run: Computed, settings: Settings
) -> None:
    job = imported(folder_of("original").root)
    report = report_of(job)
    wanted = sum(report["imported"]["wanted"].values())
    assert report["engine"]["imported"] + report["engine"]["compared"] == wanted
    assert report["engine"]["refused"] == 0 and report["engine"]["imported"] > 0.3 * wanted
    plain = make_job(settings, earlier_run.input)
    run_job(plain, settings)
    others = report_of(plain)
    assert report["engine"]["tokens"] < 0.8 * others["engine"]["tokens"]
    assert "imported" not in others and not set(IMPORT_COUNTERS) & set(others["engine"])
    # Workers are not said to have computed what was taken over.
    computed, all_tokens = (sum(worker["tokens"] for worker in one["times"]["workers"]) for one in (report, others))
    assert 0 < computed < 0.8 * all_tokens == 0.8 * others["counts"]["protein_tokens"]
    assert sum(shard["tokens"] for shard in report["times"]["shards"]) == computed
    assert not [warning for warning in report["warnings"] if "mixed precision" in warning]
    assert content_key(job.spec) != content_key(plain.spec)
    # The vectors of one are none of the other: they may differ in the last digits.
    plan = read_plan(job.paths.plan)
    assert read_shard_vectors(replace(job, spec=plain.spec), plan, 0) is None
    assert not job.paths.imported.exists()
    assert f"imported folder='{folder_of('original').root}'" in (job.paths.results / "virnucpro.log").read_text()


def test_results_of_mixed_precision_say_so(imported: Callable, folder_of: FolderOf) -> None:
    job = imported(folder_of("v2").root)
    (warning,) = (text for text in report_of(job)["warnings"] if "mixed precision" in text)
    assert warning.startswith("mixed precision: protein vectors of ")
    assert warning.endswith("were computed in fp16, all others in fp32")
    assert warning in (job.paths.results / "virnucpro.log").read_text()


@pytest.mark.parametrize("fault", ["another model", "another run", "scrambled"])
def test_a_file_with_wrong_vectors_is_refused_as_a_whole(imported: Callable, folder_of: FolderOf, fault: str) -> None:
    folder = folder_of("v1")
    for name in ("nucleotide", "protein"):
        for file in (folder.root / f"reads_{name}").glob("*.pt"):
            file.unlink()
    wrong = folder.root / "reads_merged" / "output_1_merged.pt"
    content = torch.load(wrong)
    vectors = content["data"]
    if fault == "another model":
        vectors = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(1))
    elif fault == "another run":
        # The ids are those of this run, the vectors those of other sequences.
        vectors = vectors.flip(0)
    else:
        half = len(vectors) // 2
        vectors = torch.cat([vectors[:half].roll(1, 0), vectors[half:]])
    torch.save(content | {"data": vectors}, wrong)
    report = report_of(imported(folder.root))
    assert report["engine"]["refused"] > 0 and report["engine"]["imported"] > 0
    assert report["engine"]["differing"] > 0
    assert any("of the same files were not used" in text for text in report["warnings"])


def exchange_two_vectors(file: Path) -> None:
    """As if two records had been edited since: two vectors among many right ones are of other sequences."""
    content = torch.load(file)
    content["data"][[0, 1]] = content["data"][[1, 0]]
    torch.save(content, file)


def without_sequences(folder: Folder) -> None:
    for file in [*folder.root.rglob("*.fa"), *folder.root.rglob("*.faa")]:
        file.unlink()


def with_later_sequences(folder: Folder) -> None:
    """As if a later run had cut its input, and not come to its vectors."""
    for file in folder.root.rglob("*.fa*"):
        os.utime(file, (2**32, 2**32))


@pytest.mark.parametrize("doubt", [without_sequences, with_later_sequences])
def test_no_vector_is_used_uncompared_that_no_file_of_the_folder_proves(
    doubt: Callable[[Folder], None], imported: Callable, folder_of: FolderOf
) -> None:
    folder = folder_of("v1")
    for file in folder.root.glob("reads_*/*_DNABERT_S.pt"):
        file.unlink()
    exchange_two_vectors(folder.root / "reads_merged" / "output_2_merged.pt")
    doubt(folder)
    engine = report_of(imported(folder.root))["engine"]
    # Their proteins contradict those of the files of one kind, and are not among them.
    assert (engine["imported"], engine["differing"]) == (0, 2)


def test_vectors_that_are_lost_or_changed_on_the_disk_are_computed(
    folder_of: FolderOf, earlier_run: Computed, settings: Settings
) -> None:
    def job_with(spoil: Callable[[Job], object]) -> dict:
        job = make_job(settings, earlier_run.input, importing=importing(folder_of("v1").root))
        spoil(job)
        run_job(job, settings)
        return report_of(job)["engine"]

    whole = job_with(lambda job: None)
    assert "imported" not in job_with(lambda job: (job.paths.imported / "protein.index").unlink())

    def flip(job: Job) -> None:
        file = job.paths.imported / "protein.vectors"
        content = bytearray(file.read_bytes())
        content[1_000] ^= 1
        file.write_bytes(content)

    flipped = job_with(flip)
    assert flipped["imported"] + flipped["compared"] == whole["imported"] + whole["compared"] - 1


def test_an_empty_folder_and_another_chunk_length_are_refused(
    earlier_run: Computed, settings: Settings, tmp_path: Path, folder_of: FolderOf
) -> None:
    with pytest.raises(InputError, match="no folder of the original tool"):
        importing(tmp_path)
    folder = folder_of("v1")
    with pytest.raises(InputError, match="chunks of 500 bases, this one is to cut 300"):
        make_job(settings, earlier_run.input, chunk_length=300, importing=importing(folder.root))
    assert not list((settings.store / "jobs").glob("*"))


class FakeEngine:
    """Gives each sequence a vector of its own, fails for those of `infinite`, and notes what it was given."""

    def __init__(self, *infinite: str) -> None:
        self.infinite = infinite
        self.given: list[tuple[list[str], list[int]]] = []

    def embed(self, nucleotides: list[str], proteins: list[str], **options: Any) -> SimpleNamespace:
        self.given.append((proteins, options["masked_proteins"]))
        if wrong := [place for place, text in enumerate(proteins) if text in self.infinite]:
            raise NonFiniteError("esm2", wrong)
        return SimpleNamespace(nucleotide=vectors_for(nucleotides), protein=vectors_for(proteins), stats=EngineStats())


def vectors_for(texts: list[str]) -> np.ndarray:
    rows = [np.random.default_rng(zlib.crc32(text.encode())).normal(size=8) for text in texts]
    return np.array(rows, np.float32).reshape(-1, 8)


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    """Vectors of p0 to p99, those of p90 and above from a second source and wrong, and none of nucleotides."""
    by_kind = {}
    for kind, texts in ((NUCLEOTIDE, []), (PROTEIN, [f"p{number}" for number in range(100)])):
        vectors = vectors_for(texts)
        vectors[90:] += 1
        vectors_file(tmp_path, kind).write_bytes(vectors.tobytes())
        rows = np.arange(len(texts))
        checksums = np.array([zlib.crc32(row.tobytes()) for row in vectors], np.uint32)
        index = Index.of(sequence_digests(texts), rows, (rows >= 90).astype(np.int32), checksums)
        by_kind[kind] = ImportedVectors(tmp_path, kind, 8, index)
    return Imports(by_kind, shares=(0.0, 0.0), tolerances=(0.005, 0.005))


def test_what_is_left_out_stays_masked_and_a_wrong_source_is_computed(imports: Imports) -> None:
    engine = FakeEngine()
    proteins = [f"p{number}" for number in range(110)]
    masked = [0, 50, 105]
    found = embed_sequences(engine, ["n0", "n1"], proteins, imports, should_stop=lambda: False, masked_proteins=masked)
    assert np.array_equal(found.protein, vectors_for(proteins))
    assert np.array_equal(found.nucleotide, vectors_for(["n0", "n1"]))
    (given, hidden), *more = engine.given
    assert [given[place] for place in hidden] == ["p0", "p50", "p105"]
    # Ten are of the wrong source, which are all compared; of the other 88 some are.
    assert found.stats.compared == LEAST_COMPARED + 10 and found.stats.refused == 10
    assert found.stats.imported == 88 - LEAST_COMPARED and not more


def test_sequences_without_a_finite_vector_are_named_by_their_places(imports: Imports) -> None:
    proteins = [f"p{number}" for number in range(110)]
    with pytest.raises(NonFiniteError) as raised:
        embed_sequences(FakeEngine("p103", "p107"), [], proteins, imports, should_stop=lambda: False)
    assert raised.value.indices == [103, 107]
