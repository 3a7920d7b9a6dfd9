"""The trained encoders as a bundle without a head.

    python -m training.encoders --data FOLDER --weights FOLDER --output NEW_FOLDER

--weights holds esm2.pt and dnabert-s.pt of training.pretrain.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from training.corpus import TOKENIZER_FILE
from virnucpro_tasks.models.bundle import NO_HEAD, Bundle, describe_bundle, read_bundle
from virnucpro_tasks.models.folder import new_folder
from virnucpro_tasks.system.files import write_json

NAME = "demonstration"
CHUNK_LENGTH = 500
KEPT = {"dnabert-s": "best", "esm2": "last"}
"""A file of training.pretrain has three sets of weights: those kept had the best AUROC on contigs of the validation
groups, or are of the end of training."""

LICENCE = "MIT, trained by this project"


def write_encoders(output: Path, *, weights: Path, tokenizer: Path) -> Bundle:
    """The new folder `output`: the weights as training.pretrain kept them (float16), tokenizer and description.

    Raises OutputError if `output` exists.
    """
    widths = {}
    with new_folder(output) as folder:
        for part, kept in KEPT.items():
            content = torch.load(weights / f"{part}.pt", weights_only=True)
            (folder / part).mkdir()
            encoder = {
                name.removeprefix("encoder."): value.contiguous()
                for name, value in content[kept].items()
                if name.startswith("encoder.")
            }
            save_file(encoder, folder / part / "model.safetensors")
            write_json(folder / part / "config.json", content["sizes"])
            widths[part] = content["sizes"]["width"]
        shutil.copyfile(tokenizer, folder / "dnabert-s" / "tokenizer.json")
        describe_bundle(
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
            licences=dict.fromkeys(KEPT, LICENCE),
        )
    return read_bundle(output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder written by training.prepare")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="new folder")
    options = parser.parse_args()
    bundle = write_encoders(options.output, weights=options.weights, tokenizer=options.data / TOKENIZER_FILE)
    print(bundle.digest)


if __name__ == "__main__":
    main()
