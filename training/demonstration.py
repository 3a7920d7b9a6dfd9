"""Make the demonstration bundle: a head fitted to the trained encoders' vectors of labelled contigs.

    python -m training.demonstration --contigs FOLDER --work FOLDER --output NEW_FOLDER [--encoders BUNDLE]

--contigs holds train, validation and test (.fasta and .labels.tsv) of training.contigs, whose labels divide
them into the parts that `virnucpro train` knows. Nothing is chosen by the test part. --encoders is a bundle of
training.encoders; by default the encoders that ship, so that the head can be made again without a GPU. --work keeps the
vectors: there another head takes seconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.encoders import CHUNK_LENGTH, LICENCE, NAME
from training.splits import TEST, TRAIN, VALIDATION
from virnucpro_tasks.cli.one_shot import embed_here
from virnucpro_tasks.heads.bundles import HeadRequest, fit_bundle
from virnucpro_tasks.heads.examples import read_examples
from virnucpro_tasks.heads.labels import Labels
from virnucpro_tasks.heads.train import HeadKind
from virnucpro_tasks.models.locate import DEMONSTRATION, find_bundle
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.settings import Settings

USE = (
    "Trying the software out. The models are a thousandth of the published ones and saw 271 million bases; the figures "
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
    has_segments=True,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", default=DEMONSTRATION, help="bundle whose own head, if any, is not used")
    parser.add_argument("--contigs", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder that keeps the vectors")
    parser.add_argument("--output", type=Path, required=True, help="new folder")
    parser.add_argument("--devices", default="cpu,cpu", help="as of predict; on GPUs the last bits differ")
    options = parser.parse_args()
    encoders = find_bundle(options.encoders)
    contigs = [options.contigs / f"{split}.fasta" for split in (TRAIN, VALIDATION, TEST)]
    labels = Labels.read(*(file.with_suffix(".labels.tsv") for file in contigs))
    settings = Settings(store=options.work, bundle=str(encoders.path))
    job = embed_here(
        settings, tuple(contigs), devices=options.devices, quiet=False, scored=False, coverage=Coverage.SEGMENTS
    )
    card = fit_bundle(options.output, encoders, read_examples(job, labels), REQUEST, inputs=job.spec.inputs, say=print)
    print(card["unseen_groups"])


if __name__ == "__main__":
    main()
