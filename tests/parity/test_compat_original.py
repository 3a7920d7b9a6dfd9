"""A job by the rules of the original, from its input to both classic files, against an independent original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from job import make_job, run_job
from parity.original_tool import ClassicFiles, frames_of, hostile_fasta, original_files

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.settings import Settings

LAST_DIGITS = 2e-6
"""Largest difference of a probability: FP32 has 24 bits, and sums over packs are in another order."""

LONG = "CTAGCTAACGCTTAC" * 205 + "TGGTCTAACCGATTTCTA" * 45
"""One frame of 1,295 residues, those at its end unlike the others: more than ESM-2 was trained for, and than the
original averages over.
"""


def classic(job: Job, settings: Settings) -> ClassicFiles:
    run_job(job, settings)
    return ClassicFiles.read(job.paths.results)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("hostile") / "hostile.fasta"
    file.write_bytes(hostile_fasta(60, seed=1).encode())
    assert 100 < sum(1 for _ in frames_of(file, 500)) < 250
    return file


def compare(ours: ClassicFiles, theirs: ClassicFiles) -> None:
    assert [row[:2] for row in ours.frames] == [row[:2] for row in theirs.frames]
    assert ours.chunks == theirs.chunks
    assert np.abs(ours.scores() - theirs.scores()).max() < LAST_DIGITS


def test_classic_files_are_the_originals_on_hostile_input(settings: Settings, hostile: Path) -> None:
    pytest.importorskip("esm")
    ours = classic(make_job(settings, hostile, compat=Compat.ORIGINAL), settings)
    compare(ours, original_files(hostile, demo_bundle().path, chunk_length=500))


def test_proteins_are_not_cut_and_their_mean_is_over_1024_residues(settings: Settings, tmp_path: Path) -> None:
    pytest.importorskip("esm")
    file = tmp_path / "long.fasta"
    file.write_text(f">long\n{LONG}\n")
    whole = classic(make_job(settings, file, compat=Compat.ORIGINAL, chunk_length=len(LONG)), settings)
    compare(whole, original_files(file, demo_bundle().path, chunk_length=len(LONG)))
    cut = classic(make_job(settings, file, chunk_length=len(LONG)), settings)
    assert np.abs(cut.scores() - whole.scores()).max() > 10 * LAST_DIGITS
