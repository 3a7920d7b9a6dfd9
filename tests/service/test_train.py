"""`train` and `evaluate` as a user calls them: real Redis, a worker, the demonstration's encoders.

Where only the fitted head is of interest, jobs run in this process.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from service.deployment import PATIENCE_SECONDS, in_this_process, slow_shards, start, wait_until

from virnucpro_tasks.models.bundle import read_bundle
from virnucpro_tasks.models.verification import verify_bundle

pytestmark = [pytest.mark.service, pytest.mark.slow]

GROUPS = 16


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Path, Path]:
    return write_labelled(tmp_path)


def write_labelled(folder: Path) -> tuple[Path, Path]:
    """Records of two compositions with hardly a T, so that nearly all have an open frame, and their labels."""
    random = np.random.default_rng(0)
    fasta, table = folder / "contigs.fasta", folder / "labels.tsv"
    with fasta.open("w") as sequences, table.open("w") as labels:
        labels.write("id\tlabel\tgroup\n")
        for number in range(6 * GROUPS):
            virus = number % 2 == 0
            shares = [0.5, 0.24, 0.24, 0.02] if virus else [0.3, 0.34, 0.34, 0.02]
            sequence = "".join(random.choice(list("ACGT"), 300, p=shares))
            sequences.write(f">r{number}\n{sequence}\n")
            labels.write(f"r{number}\t{'virus' if virus else 'others'}\tg{number % GROUPS}\n")
    return fasta, table


@dataclass(frozen=True)
class Trained:
    """A head that was fitted to frames by a deployment: its input, the folder of vectors, and the card it printed."""

    bundle: Path
    fasta: Path
    common: tuple[object, ...]
    card: dict[str, Any]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    fasta, table = write_labelled(folder)
    common = ("--labels", table, "--devices", "cpu", "--work", folder / "work")
    arguments = ("train", fasta, *common, "--bundle", "demo", "--output", folder / "mlp", "--hidden", 16, "--json")
    done = in_this_process(list(map(str, arguments)), dict(os.environ), timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr.decode()
    return Trained(folder / "mlp", fasta, common, json.loads(done.stdout))


@pytest.mark.usefixtures("jobs_run_here")
def test_a_head_that_is_fitted_to_segments_scores_by_them(
    trained: Trained, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    random = np.random.default_rng(0)
    fasta, table = tmp_path / "contigs.fasta", tmp_path / "labels.tsv"
    with fasta.open("w") as sequences, table.open("w") as labels:
        labels.write("id\tlabel\tgroup\n")
        for number in range(8 * GROUPS):
            virus = number % 2 == 0
            # Every second of a class with so many stop codons that no frame of 450 bases is open.
            rare = 0.02 if number // GROUPS % 2 else 0.12
            shares = [0.48 - rare, 0.26, 0.26, rare] if virus else [0.36 - rare, 0.32, 0.32, rare]
            sequence = "".join(random.choice(list("ACGT"), 450, p=shares))
            sequences.write(f">r{number}\n{sequence}\n")
            labels.write(f"r{number}\t{'virus' if virus else 'others'}\tg{number % GROUPS}\n")
    cpu = ("--devices", "cpu", "--coverage", "segments")
    common = (fasta, "--labels", table, "--bundle", "demo", "--work", tmp_path / "work", *cpu)
    code, out, err = call("train", *common, "--output", tmp_path / "mine", "--head", "logistic", "--json")
    assert code == 0, err
    assert " segments: fitting a head" in err
    card = json.loads(out)
    config = json.loads((tmp_path / "mine" / "head" / "config.json").read_text())
    assert config["record_score"]["segments"] == card["record_score"]["segments"]
    covered = card["unseen_groups_covered_by_segments"]
    assert covered["scored"] > card["unseen_groups"]["records"]

    code, _, err = call("predict", fasta, "--bundle", tmp_path / "mine", *cpu, "--output", tmp_path / "out")
    assert code == 0, err
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["parameters"]["coverage"] == "segments" and "a segment with log-odds" in run["model"]["record_score"]
    assert run["counts"]["records"]["partial_frame"] == run["counts"]["segments"] > 10
    assert "scored by the longest segment" in err

    code, _, err = call("predict", fasta, "--bundle", trained.bundle, *cpu, "--output", tmp_path / "refused")
    assert code == 2 and "was not fitted to segments" in err
    assert not (tmp_path / "refused").exists()


@pytest.mark.usefixtures("forks")
def test_a_head_is_fitted_and_a_second_one_uses_the_same_vectors(
    trained: Trained, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    assert trained.card["unseen_groups"]["auroc"] > 0.7
    assert sum(part["records"] for part in trained.card["parts"].values()) <= 6 * GROUPS
    bundle = read_bundle(trained.bundle)
    verify_bundle(bundle)
    assert json.loads((bundle.path / "head/card.json").read_text()) == trained.card
    assert bundle.description.demonstration and bundle.description.name == "mlp"

    again = ("train", trained.fasta, *trained.common, "--bundle", "demo", "--output", tmp_path / "logistic")
    code, _, err = call(*again, "--head", "logistic")
    assert code == 0 and "are used" in err
    assert len(list((trained.bundle.parent / "work" / "jobs").iterdir())) == 1
    assert read_bundle(tmp_path / "logistic").digest != bundle.digest

    code, _, err = call(*again)
    assert code == 2 and "exists already" in err

    evaluated = (trained.fasta, *trained.common, "--bundle", trained.bundle)
    code, out, err = call("evaluate", *evaluated, "--output", tmp_path / "report")
    assert code == 0, err
    assert out == (tmp_path / "report/evaluation.tsv").read_text()
    report = json.loads((tmp_path / "report/evaluation.json").read_text())
    assert report["all"]["auroc"] > 0.8 and report["baseline_4_mers"]["auroc"] > 0.8
    assert report["digest"] == bundle.digest
    assert (tmp_path / "report/evaluation.svg").read_text().startswith("<?xml")


def test_a_command_that_was_killed_goes_on_from_the_shards_it_had(labelled: tuple[Path, Path], tmp_path: Path) -> None:
    fasta, table = labelled
    common = ["--labels", str(table), "--bundle", "demo", "--devices", "cpu", "--head", "logistic"]
    work = tmp_path / "work"
    environment = os.environ | {"VIRNUCPRO_SHARD_TOKENS": "2000"} | slow_shards(0.2)
    arguments = ["train", str(fasta), *common, "--work", str(work)]

    def embedded() -> dict[str, int]:
        return {file.name: file.stat().st_ino for file in work.glob("jobs/*/embeddings/*.safetensors")}

    with start([*arguments, "--output", str(tmp_path / "head")], environment) as killed:
        wait_until(lambda: len(embedded()) >= 3)
        killed.kill()
    kept = embedded()
    assert not (tmp_path / "head").exists()

    with start([*arguments, "--output", str(tmp_path / "head")], environment, stderr=subprocess.PIPE) as again:
        said = again.communicate()[1].decode()
    assert again.returncode == 0, said
    assert "an earlier command was interrupted" in said
    assert kept.items() <= embedded().items() and len(kept) < len(embedded())
    verify_bundle(read_bundle(tmp_path / "head"))


def test_labels_that_do_not_fit_are_named(
    labelled: tuple[Path, Path], tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    fasta, table = labelled
    code, _, err = call("train", fasta, "--bundle", "demo", "--output", tmp_path / "x")
    assert code == 2 and "viruses and then others, or --labels" in err
    table.write_text("id\tlabel\nr0\tviral\n")
    code, _, err = call("train", fasta, "--labels", table, "--bundle", "demo", "--output", tmp_path / "x")
    assert code == 3 and "labels.tsv, line 2, record 'r0': label 'viral'" in err
    given = (fasta, "--labels", table, "--bundle", "demo", "--output", tmp_path / "x", "--work", tmp_path / "vectors")
    table.write_text("id\tlabel\nr0\tvirus\n")
    code, _, err = call("train", *given)
    assert code == 3 and "r1, r2, r3, r4, r5 and 90 more have no label" in err
    table.write_text("id\tlabel\tgroup\n" + "".join(f"r{n}\tvirus\tg{n}\n" for n in range(6 * GROUPS)))
    code, _, err = call("train", *given)
    assert code == 3 and "only 0 groups of others" in err
    # Nothing was embedded to find that out.
    assert not (tmp_path / "vectors").exists()
    assert not (tmp_path / "x").exists()
