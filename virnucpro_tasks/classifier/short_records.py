"""A head with a part of its own for short records, which takes their nucleotide vectors alone.

Of a short piece of a gene the protein tells less than of a whole one. Which part scores a frame is decided by the
length of its record, never by the frame: all frames of a record are scored by the same part. Each part is of the kind
of VirNucPro's classifier; the part for short records is calibrated so that the rule for the score of a record, which is
fitted to records of all lengths, gives probabilities of short ones too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from virnucpro_tasks.classifier.head_files import CONFIG_FILE, HeadFiles
from virnucpro_tasks.classifier.mlp import MlpHead
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.jsonfile import checked
from virnucpro_tasks.models.sizes import CLASSES, SHORT_PREFIX, ShortConfiguration

_NAME = Path(CONFIG_FILE).name
_AGAIN = "copy the bundle again, or train the head again"


@dataclass(frozen=True, slots=True)
class ShortRecordsHead:
    """`whole` scores the frames of records of `nucleotides_below` bases and more, by both vectors; `short` those of all
    shorter ones, by the nucleotide vector.
    """

    nucleotides_below: int
    whole: MlpHead
    short: MlpHead

    @classmethod
    def of(cls, files: HeadFiles) -> ShortRecordsHead:
        """Raises BundleError if the entries or tensors do not fit each other or the bundle's models."""
        stated = checked(files.configuration, ShortConfiguration, path=files.path.with_name(_NAME), hint=_AGAIN)
        whole = MlpHead.of(files)
        width = files.description.nucleotide_width
        short = MlpHead.of_tensors(files.tensors, width, 0, path=files.path, prefix=SHORT_PREFIX)
        for part, name, hidden in ((whole, "hidden", stated.hidden), (short, "short_hidden", stated.short_hidden)):
            if len(part.scale) != hidden:
                raise BundleError(
                    f"{name} is {hidden} in {_NAME}, the tensors have {len(part.scale)}", path=files.path, hint=_AGAIN
                )
        # A kind that is checked above states it.
        assert stated.nucleotides_below is not None
        return cls(stated.nucleotides_below, whole, short)

    def scores(self, nucleotide: np.ndarray, protein: np.ndarray) -> np.ndarray:
        """Scores of frames as if none were of a short record: for comparing vectors. See `Head`."""
        return self.whole.scores(nucleotide, protein)

    def scores_by_length(self, nucleotide: np.ndarray, protein: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """P(others) and P(virus) of each row, float32 (n, 2), as `Head.scores`; `lengths` (n,) are the bases of the
        records that the frames are of.
        """
        if lengths.shape != (len(nucleotide),):
            raise ValueError(f"lengths of shape {lengths.shape} for {len(nucleotide)} frames")
        is_short = lengths < self.nucleotides_below
        scores = np.empty((len(nucleotide), len(CLASSES)), np.float32)
        scores[~is_short] = self.whole.scores(nucleotide[~is_short], protein[~is_short])
        scores[is_short] = self.short.scores(nucleotide[is_short], protein[is_short, :0])
        return scores
