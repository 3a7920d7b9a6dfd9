"""Make the demonstration bundle: the trained encoders, and a head fitted to their vectors of labelled contigs.

    python -m training.demonstration --data FOLDER --encoders FOLDER --contigs FOLDER --output NEW_FOLDER

--encoders holds esm2.pt and dnabert-s.pt of training.pretrain, --contigs holds train, validation and test (.fasta and
.labels.tsv) of training.contigs, whose labels say which contigs fit, calibrate and judge the head. The last are of the
test split: nothing is chosen by them.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from training.corpus import TOKENIZER_FILE
from training.splits import TEST, TRAIN, VALIDATION
from virnucpro_tasks.atomic import write_json
from virnucpro_tasks.cli.labelled import embedded
from virnucpro_tasks.fitting.bundles import HeadRequest, fit_bundle
from virnucpro_tasks.fitting.examples import read_examples
from virnucpro_tasks.fitting.labels import Labels
from virnucpro_tasks.fitting.train import HeadKind
from virnucpro_tasks.models.bundle import NO_HEAD, Bundle, describe_bundle
from virnucpro_tasks.settings import Settings

PARTS = ("dnabert-s", "esm2")
NAME = "demonstration"
CHUNK_LENGTH = 500
WEIGHTS = "last"
"""Of the three in a file of training.pretrain: those of the end."""

LICENCE = "MIT, trained by this project"
USE = (
    "Trying the software out. The models are a thousandth of the published ones and saw 72 million bases; the figures "
    "here are of contigs of species they did not see. Not for research."
)
REQUEST = HeadRequest(
    # By records of the validation groups: calibrated on half of them, its error on the other half is 0.04, that of the
    # MLP 0.06; both tell them apart equally well.
    kind=HeadKind.LOGISTIC,
    hidden=2,
    seed=20,
    chunk_length=CHUNK_LENGTH,
    name=NAME,
    licence=LICENCE,
    intended_use=USE,
    demonstration=True,
)


def write_encoders(folder: Path, *, encoders: Path, tokenizer: Path) -> Bundle:
    """A bundle of the trained encoders, without a head."""
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
    return describe_bundle(
        folder,
        name=NAME,
        demonstration=True,
        chunk_length=CHUNK_LENGTH,
        precision="fp32",
        nucleotide_model="DNABERT-S, 4 layers, 160 wide, trained from scratch",
        protein_model="ESM-2, 6 layers, 160 wide, trained from scratch",
        head=NO_HEAD,
        nucleotide_width=widths["dnabert-s"],
        protein_width=widths["esm2"],
        licences=dict.fromkeys(PARTS, LICENCE),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder written by training.prepare")
    parser.add_argument("--encoders", type=Path, required=True)
    parser.add_argument("--contigs", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="new folder")
    options = parser.parse_args()
    contigs = [options.contigs / f"{split}.fasta" for split in (TRAIN, VALIDATION, TEST)]
    labels = Labels.read(*(file.with_suffix(".labels.tsv") for file in contigs))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoders = write_encoders(
            folder / "encoders", encoders=options.encoders, tokenizer=options.data / TOKENIZER_FILE
        )
        settings = Settings(store=folder / "store", bundle=str(encoders.path))
        job = embedded(settings, tuple(contigs), devices="cpu,cpu", quiet=False, scored=False)
        card = fit_bundle(
            options.output, encoders, read_examples(job, labels), REQUEST, inputs=job.spec.inputs, say=print
        )
    print(card["unseen_groups"])


if __name__ == "__main__":
    main()
