from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from job import SAMPLE, make_job, run_job, vectors_of

from virnucpro_tasks.errors import DamagedError, InputError
from virnucpro_tasks.heads.examples import read_examples
from virnucpro_tasks.heads.labels import Label, Labels
from virnucpro_tasks.heads.scored_records import read_scored
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan


@pytest.fixture
def job(settings: Settings) -> Job:
    """A finished job of several shards that kept its vectors."""
    small = replace(settings, shard_tokens=1_500)
    job = make_job(small, SAMPLE, keep_embeddings=True)
    run_job(job, small)
    return job


@pytest.fixture
def labels() -> Labels:
    """Labels of the sample's records, viruses and others by turns."""
    ids = [line[1:].split()[0] for line in SAMPLE.read_text().splitlines() if line.startswith(">")]
    return Labels({name: Label(virus=number % 2 == 0, group=name, taxon="") for number, name in enumerate(ids)})


def test_all_vectors_of_all_shards_are_read(job: Job, labels: Labels) -> None:
    examples = read_examples(job, labels)
    shards = read_plan(job.paths.plan).to_embed
    assert len(shards) > 2
    proteins = [vectors.protein[vectors.protein_row] for vectors in (vectors_of(job, shard) for shard in shards)]
    np.testing.assert_array_equal(examples.protein, np.concatenate(proteins))
    assert len(examples.record) == len(examples.nucleotide) == len(examples.protein)
    assert set(examples.record.tolist()) == set(range(len(examples.ids)))


def test_all_of_one_class_is_refused(job: Job) -> None:
    with pytest.raises(InputError, match="all records have the same label"):
        read_examples(job, Labels.by_file())


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_kept_vectors_that_were_damaged_are_not_learnt_from(job: Job, labels: Labels, damage: object) -> None:
    damage(job.paths.embedding(1))  # type: ignore[operator]
    with pytest.raises(DamagedError, match=r"000001\.safetensors is missing or damaged") as raised:
        read_examples(job, labels)
    assert str(job.paths.root) in raised.value.hint


def test_scores_that_were_damaged_are_not_judged(job: Job, labels: Labels) -> None:
    found = read_scored(job, labels)
    assert found.is_scored.sum() > 0 and len(found.ids) > 0
    flip(job.paths.results / "records.tsv")
    with pytest.raises(DamagedError, match=r"records\.tsv is missing or damaged"):
        read_scored(job, labels)
