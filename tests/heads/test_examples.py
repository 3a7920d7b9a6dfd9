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
from virnucpro_tasks.reads.coverage import Coverage
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


def test_segments_and_records_without_any_frame_are_read_where_a_job_is_covered(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "in.fasta"
    partial = "TAA" + "CTAGCTAACGCTTAC" * 20 + "TAA" + "CTAGCTAACGCTTAC" * 2
    records = {
        "open": "ACGGCTGGTCTGGCA" * 20,
        "closed": "CTAGCTAACGCTTACTAA" * 20,
        "partial": partial,
        "both": "ACGGCTGGTCTGGCA" * 70 + partial,
        "short": "ACGT",
        "unread": "N" * 600,
    }
    file.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in records.items()))
    labels = Labels({name: Label(virus=name != "open", group=name, taxon="") for name in records})
    small = replace(settings, shard_tokens=1)
    examples = {}
    for coverage in Coverage:
        job = make_job(small, file, keep_embeddings=True, coverage=coverage, scored=False)
        run_job(job, small)
        examples[coverage] = read_examples(job, labels)
    alone, covered = examples[Coverage.FRAMES], examples[Coverage.SEGMENTS]
    assert alone.ids == ["open", "both"] and not alone.is_segment.any()
    assert covered.ids == ["open", "closed", "partial", "both"]
    frames, segments = covered.frames.tolist(), covered.segments.tolist()
    assert (frames[0], frames[1], frames[2]) == (int(alone.frames[0]), 0, 0) and frames[3] > 0
    assert segments[:3] == [0, 0, 1] and segments[3] > 0
    kept = covered.by_frames()
    assert kept.ids == alone.ids and kept.record.tolist() == alone.record.tolist()
    np.testing.assert_array_equal(kept.joined, alone.joined)
    values = np.arange(len(covered.record), dtype=np.float64)
    assert np.isnan(covered.means(values)).tolist() == [False, True, True, False]
    total = covered.totals(values) + covered.segment_totals(values)
    assert total.tolist() == [values[covered.record == record].sum() for record in range(4)]
