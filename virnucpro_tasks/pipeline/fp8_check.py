"""The data of the FP8 check at the start of a worker: frames of the shipped sample, scored with the bundle's head."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.reads.batches import ReadInput, frame_batches

if TYPE_CHECKING:
    from virnucpro_tasks.embed.self_check import SelfCheck

SAMPLE = "sample.fasta"
CHECK_CHUNK = 300
"""Bases; in longer chunks of the sample fewer frames are open."""


def fp8_check(bundle: Bundle) -> SelfCheck:
    """Every second record of the sample judges, the others calibrate: 284 and 122 proteins. Raises BundleError."""
    # Imported here: it loads torch.
    from virnucpro_tasks.embed.self_check import SelfCheck

    judging: list[tuple[str, str]] = []
    calibration: list[str] = []
    with as_file(files("virnucpro_tasks") / SAMPLE) as sample:
        for batch in frame_batches([ReadInput(sample, SAMPLE)], chunk_length=CHECK_CHUNK):
            columns = (batch.frames[name].to_pylist() for name in ("record_ordinal", "nucleotides", "protein"))
            for record, nucleotides, protein in zip(*columns, strict=True):
                if record % 2:
                    calibration.append(protein)
                else:
                    judging.append((nucleotides, protein))
    slices, proteins = zip(*judging, strict=True)
    return SelfCheck(calibration, slices, proteins, load_head(bundle).scores)
