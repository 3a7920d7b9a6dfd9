"""Make the demonstration bundle: the trained encoders, and a head fitted to their vectors of labelled contigs.

    python -m training.demonstration --data FOLDER --encoders FOLDER --contigs FOLDER --output NEW_FOLDER

--encoders holds esm2.pt and dnabert-s.pt of training.pretrain, --contigs holds train and validation (.fasta and
.labels.tsv) of training.contigs. The head is fitted to contigs of the groups that the encoders were trained on, and
calibrated on groups that they were not, because vectors of the former are further apart. It is judged on half of the
latter; the test split is not looked at.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from training.corpus import TOKENIZER_FILE
from virnucpro_tasks.atomic import write_json
from virnucpro_tasks.cli.labelled import embedded
from virnucpro_tasks.fitting.bundles import write_trained
from virnucpro_tasks.fitting.calibration import calibrate, sigmoid
from virnucpro_tasks.fitting.card import model_card
from virnucpro_tasks.fitting.examples import Examples, read_examples
from virnucpro_tasks.fitting.labels import Labels
from virnucpro_tasks.fitting.mlp import fit_mlp
from virnucpro_tasks.fitting.splits import CALIBRATE, JUDGE, STOP, TRAIN, split_records
from virnucpro_tasks.jobs import Job
from virnucpro_tasks.models.bundle import Bundle, describe_bundle
from virnucpro_tasks.models.sizes import CLASSES, HeadSizes
from virnucpro_tasks.settings import Settings

PARTS = ("dnabert-s", "esm2")
NAME = "demonstration"
CHUNK_LENGTH = 500
WEIGHTS = "last"
"""Of the three in a file of training.pretrain: those of the end."""

HIDDEN = 64
SEED = 20
LICENCE = "MIT, trained by this project"
USE = (
    "Trying the software out. The models are a thousandth of the published ones and saw 72 million bases; the figures "
    "here are of contigs of species they did not see. Not for research."
)


def write_encoders(folder: Path, *, encoders: Path, tokenizer: Path) -> Bundle:
    """A bundle of the trained encoders, with a head that says nothing yet."""
    widths = {}
    for part in PARTS:
        content = torch.load(encoders / f"{part}.pt", weights_only=True)
        (folder / part).mkdir(parents=True)
        weights = {
            name.removeprefix("encoder."): value.contiguous()
            for name, value in content[WEIGHTS].items()
            if name.startswith("encoder.")
        }
        save_file(weights, folder / part / "model.safetensors")
        write_json(folder / part / "config.json", content["sizes"])
        widths[part] = content["sizes"]["width"]
    shutil.copyfile(tokenizer, folder / "dnabert-s" / "tokenizer.json")
    sizes = HeadSizes(width=sum(widths.values()), hidden=1)
    (folder / "head").mkdir()
    flat = {name: np.full(shape, float("var" in name), np.float32) for name, shape in sizes.shapes().items()}
    save_arrays(flat, folder / "head" / "model.safetensors")
    write_json(
        folder / "head" / "config.json",
        {
            "nucleotide_width": widths["dnabert-s"],
            "protein_width": widths["esm2"],
            "hidden": 1,
            "classes": list(CLASSES),
        },
    )
    return describe_bundle(
        folder,
        name=NAME,
        demonstration=True,
        chunk_length=CHUNK_LENGTH,
        precision="fp32",
        nucleotide_model="DNABERT-S, 4 layers, 160 wide, trained from scratch",
        protein_model="ESM-2, 6 layers, 160 wide, trained from scratch",
        head="none",
        nucleotide_width=widths["dnabert-s"],
        protein_width=widths["esm2"],
        licences=dict.fromkeys(PARTS, LICENCE),
    )


def examples_of(contigs: Path, name: str, settings: Settings) -> tuple[Examples, Job]:
    job = embedded(settings, (contigs / f"{name}.fasta",), devices="cpu,cpu", quiet=False)
    return read_examples(job, Labels.read(contigs / f"{name}.labels.tsv")), job


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder written by training.prepare")
    parser.add_argument("--encoders", type=Path, required=True)
    parser.add_argument("--contigs", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="new folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoders = write_encoders(
            folder / "encoders", encoders=options.encoders, tokenizer=options.data / TOKENIZER_FILE
        )
        settings = Settings(store=folder / "store", bundle=str(encoders.path))
        train, train_job = examples_of(options.contigs, "train", settings)
        unseen, unseen_job = examples_of(options.contigs, "validation", settings)
        parts = split_records(train.labels, seed=SEED)
        fitted = np.concatenate([parts[TRAIN], parts[CALIBRATE], parts[JUDGE]])
        head = fit_mlp(train.of(fitted), train.of(parts[STOP]), hidden=HIDDEN, seed=SEED, say=print)
        halves = split_records(unseen.labels, seed=SEED)
        judge = np.sort(np.concatenate([halves[JUDGE], halves[CALIBRATE], halves[STOP]]))
        head = calibrate(head, unseen.of(halves[TRAIN]))
        card = model_card(
            unseen,
            {"calibrate": halves[TRAIN], JUDGE: judge},
            unseen.means(sigmoid(head.log_odds(unseen.joined))),
            kind="mlp",
            encoders=encoders,
            inputs=(*train_job.spec.inputs, *unseen_job.spec.inputs),
            chunk_length=CHUNK_LENGTH,
            seed=SEED,
            intended_use=USE,
        )
        write_trained(
            options.output,
            encoders,
            head,
            card=card,
            name=NAME,
            chunk_length=CHUNK_LENGTH,
            head_name="MLP with 64 hidden units",
            licence=LICENCE,
            demonstration=True,
        )
    print(card["unseen_groups"])


if __name__ == "__main__":
    main()
