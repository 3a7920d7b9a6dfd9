"""A job whose head scores short records by their nucleotides alone, from its input to its tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from job import make_job, run_job, vectors_of
from output.tables import read_table
from short_head import BELOW, short_head_bundle

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.classifier.short_records import ShortRecordsHead
from virnucpro_tasks.heads.strands import reverse_complement
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.convert import convert_bundle
from virnucpro_tasks.parity import frames_to_compare
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.usefixtures("known_sequences")

OPEN = "ACGGCTGGTCTGGCA" * 60
LENGTHS = {"read": 150, "almost": BELOW - 1, "just": BELOW, "contig": 800}
"""The last chunk of the contig has the bases of a short record, and is none."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return short_head_bundle(tmp_path_factory.mktemp("short") / "bundle")


@pytest.fixture
def reads(tmp_path: Path) -> Path:
    file = tmp_path / "reads.fasta"
    file.write_text("".join(f">{name}\n{OPEN[:length]}\n" for name, length in LENGTHS.items()))
    return file


def finished(settings: Settings, reads: Path, **changed: bool) -> Job:
    job = make_job(settings, reads, **changed)
    run_job(job, settings)
    return job


def tables(job: Job) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in job.paths.results.iterdir() if file.suffix in (".tsv", ".txt")}


def test_the_length_of_its_record_decides_how_a_frame_is_scored(
    settings: Settings, bundle: Bundle, reads: Path
) -> None:
    whole = replace(settings, bundle=str(bundle.path))
    job = finished(whole, reads, keep_embeddings=True)
    head = load_head(bundle)
    assert isinstance(head, ShortRecordsHead)
    vectors = vectors_of(job)
    nucleotide, protein = vectors.nucleotide[vectors.nucleotide_row], vectors.protein[vectors.protein_row]
    short, long = head.short.scores(nucleotide, protein[:, :0]), head.whole.scores(nucleotide, protein)
    assert (short != long).all()
    lines = (job.paths.results / "prediction_results.txt").read_text().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    told = np.array([row[-2:] for row in rows], np.float32)
    is_short = np.array([LENGTHS[row[0].split("_")[0]] < BELOW for row in rows])
    assert 0 < is_short.sum() < len(is_short)
    np.testing.assert_array_equal(told, np.where(is_short[:, None], short, long))
    formula = json.loads((job.paths.results / "run.json").read_text())["model"]["record_score"]
    assert formula.endswith(f"; log-odds of records shorter than {BELOW} bases by nucleotides alone")
    assert "0.1 * ln(frames)^2" in formula
    # Cut into other shards, and scored at the end instead of in the background.
    other = finished(replace(whole, shard_tokens=100), reads)
    assert len(list(other.paths.frames(0).parent.iterdir())) > 2
    assert tables(other) == tables(job)


def test_both_strands_of_a_short_record_are_scored_by_its_length(
    settings: Settings, bundle: Bundle, reads: Path
) -> None:
    whole = replace(settings, bundle=str(bundle.path))
    other_strands = {
        f"{name}_reverse": reverse_complement(OPEN[:length].encode()).decode() for name, length in LENGTHS.items()
    }
    with reads.open("a") as file:
        file.writelines(f">{name}\n{sequence}\n" for name, sequence in other_strands.items())
    jobs = [finished(replace(whole, shard_tokens=tokens), reads, both_strands=True) for tokens in (20_000, 100)]
    assert tables(jobs[0]) == tables(jobs[1])
    rows = read_table(jobs[0].paths.results / "records.tsv")
    scores = {row["record_id"]: row["virus_score"] for row in rows}
    assert all(scores[name] == scores[f"{name}_reverse"] != "NA" for name in LENGTHS)


def test_a_conversion_keeps_the_part(bundle: Bundle, tmp_path: Path) -> None:
    converted = convert_bundle(
        name="again",
        dnabert=bundle.path,
        esm2=bundle.path,
        head=bundle.path,
        output=tmp_path / "converted",
        precision="fp32",
    )
    one, two = load_head(bundle), load_head(converted)
    assert isinstance(one, ShortRecordsHead) and isinstance(two, ShortRecordsHead)
    random = np.random.default_rng(1)
    widths = bundle.description.nucleotide_width, bundle.description.protein_width
    vectors = [random.standard_normal((9, width)).astype(np.float32) for width in widths]
    lengths = np.arange(296, 305)
    np.testing.assert_array_equal(one.scores_by_length(*vectors, lengths), two.scores_by_length(*vectors, lengths))
    stated = [json.loads((it.path / "head" / "config.json").read_text()) for it in (bundle, converted)]
    assert stated[0] == stated[1]


def test_frames_to_compare_know_the_lengths_of_their_records(reads: Path) -> None:
    frames = frames_to_compare([reads], chunk_length=500, most=100)
    assert {frame.record_id: frame.record_length for frame in frames} == LENGTHS
