"""Comparison of the engine with an independent FP32 path, for the bundle and the device of a user."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.classifier.short_records import ShortRecordsHead
from virnucpro_tasks.embed.backends import FP8_ATTENTION
from virnucpro_tasks.embed.engine import Embedded, Engine, EngineOptions, available_device
from virnucpro_tasks.errors import InputError, printable
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.pipeline.fp8_check import fp8_check
from virnucpro_tasks.reads.batches import frame_batches
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.reads.tables import FRAME_NAMES
from virnucpro_tasks.reference.comparison import Limits, ScoreFigures, VectorFigures, passes, worst
from virnucpro_tasks.reference.dnabert_s import ReferenceDnabertS
from virnucpro_tasks.reference.esm2 import fair_esm2, hugging_face_esm2
from virnucpro_tasks.reference.head import ReferenceHead
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import MAX_RESIDUES

SAMPLE = "sample.fasta"
MOST_READ_FRAMES = 100_000
"""Frames of an input among which those to compare are chosen."""

LEAST_FRAMES = 2
WORST_SHOWN = 10
PACKAGES = ("virnucpro-tasks", "torch", "fair-esm", "transformers", "tokenizers")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Frame:
    """An open frame of an input, and where it is: the id of its record, its chunk (from 1) and its name.

    `record_length` is in bases.
    """

    record_id: str
    record_length: int
    chunk: int
    name: str
    nucleotides: str
    protein: str


def frames_to_compare(inputs: Sequence[Path], *, chunk_length: int, most: int) -> list[Frame]:
    """`most` open frames, spread evenly over the first MOST_READ_FRAMES of `inputs`; of the shipped sample without any.

    Raises InputError for files that cannot be read, or with less than two open frames.
    """
    with as_file(files("virnucpro_tasks") / SAMPLE) as sample:
        sources = [ReadInput(path, str(path)) for path in inputs] or [ReadInput(sample, SAMPLE)]
        found = list(islice(_frames(sources, chunk_length), MOST_READ_FRAMES))
    if len(found) < LEAST_FRAMES:
        raise InputError(
            f"{len(found)} open frames in chunks of {chunk_length} bases, and at least {LEAST_FRAMES} are compared",
            file=", ".join(source.name for source in sources),
            hint="give more sequences",
        )
    places = np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).astype(np.int64))
    return [found[place] for place in places.tolist()]


def _frames(sources: Sequence[ReadInput], chunk_length: int) -> Iterator[Frame]:
    for batch in frame_batches(sources, chunk_length=chunk_length):
        columns = (batch.chunks[name].to_pylist() for name in ("record_ordinal", "record_id", "record_length"))
        records = {
            ordinal: (printable(record_id.decode("utf-8", "backslashreplace")), length)
            for ordinal, record_id, length in zip(*columns, strict=True)
        }
        for row in batch.frames.to_pylist():
            name = FRAME_NAMES[row["frame"]]
            record = records[row["record_ordinal"]]
            yield Frame(*record, row["chunk"], name, row["nucleotides"], row["protein"])


def engine_options_of(settings: Settings, *, device: str, precision: str) -> EngineOptions:
    """How the engine computes for such settings."""
    return EngineOptions(
        device=device,
        precision=precision,
        attention=settings.attention,
        token_budget=settings.token_budget,
        threads=settings.cpu_threads,
    )


def parity(
    bundle: Bundle,
    frames: Sequence[Frame],
    options: EngineOptions,
    *,
    reference_device: str,
    limits: Limits,
    tell: Tell = lambda text: None,
) -> dict[str, Any]:
    """Compute `frames` with the engine and with the references, one model after another, and compare.

    ESM-2 is compared with fair-esm and with transformers, DNABERT-S with plain code, and the labels of the head with
    those of torch from the reference's vectors; without a head vectors are compared alone. `tell` gets a line for each
    step. The result is plain values for JSON; `passes` says whether all is within `limits`.
    """
    started = time.monotonic()
    ours, attention = _engine_vectors(bundle, frames, options, tell)
    device = available_device(reference_device)
    torch.backends.cuda.matmul.allow_tf32 = False
    nucleotide = _reference_vectors(
        "DNABERT-S", lambda: ReferenceDnabertS(bundle.path / "dnabert-s", device).vector, _slices(frames), tell
    )
    proteins = [frame.protein for frame in frames]
    fair = _reference_vectors("fair-esm", lambda: _cut(fair_esm2(bundle.path / "esm2", device).vector), proteins, tell)
    other = _reference_vectors(
        "transformers", lambda: _cut(hugging_face_esm2(bundle.path / "esm2", device).vector), proteins, tell
    )
    vectors = [
        VectorFigures.of("DNABERT-S", "plain code", ours.nucleotide, nucleotide),
        VectorFigures.of("ESM-2", "fair-esm", ours.protein, fair),
        VectorFigures.of("ESM-2", "transformers", ours.protein, other),
    ]
    lengths = np.array([frame.record_length for frame in frames])
    scores = _scores(bundle, ours, nucleotide, fair, lengths) if bundle.description.has_head else None
    places = worst(vectors, scores, most=WORST_SHOWN)
    return {
        "passes": passes(vectors, scores, limits),
        "limits": {"least_centred_cosine": limits.least_cosine, "most_labels_changed": limits.most_flips},
        "bundle": {"name": bundle.description.label, "digest": bundle.digest},
        "device": options.device,
        "reference_device": reference_device,
        "precision": options.precision,
        "attention": attention,
        "frames": len(frames),
        "vectors": [figures.row() for figures in vectors],
        "references": VectorFigures.of("fair-esm", "transformers", fair, other).row(),
        "scores": None if scores is None else _score_report(scores),
        "worst": [_frame_report(frames[place], place, vectors, scores) for place in places],
        "versions": {name: version(name) for name in PACKAGES},
        "seconds": round(time.monotonic() - started, 1),
    }


def _engine_vectors(
    bundle: Bundle, frames: Sequence[Frame], options: EngineOptions, tell: Tell
) -> tuple[Embedded, dict[str, str]]:
    """Vectors as jobs get them, and the attention backend of each model."""
    tell(f"{len(frames):,} frames by the engine, {options.precision} on {options.device}")
    check = fp8_check(bundle) if options.precision in FP8_ATTENTION else None
    engine = Engine.load(bundle, options, check=check)
    found = engine.embed(_slices(frames), [frame.protein for frame in frames], should_stop=lambda: False)
    attention = engine.attention
    del engine
    _give_memory_back()
    return found, attention


def _slices(frames: Sequence[Frame]) -> list[str]:
    return [frame.nucleotides for frame in frames]


def _cut(vector: Callable[..., torch.Tensor]) -> Callable[[str], torch.Tensor]:
    """The vector of a protein that is cut as the engine cuts it."""
    return lambda protein: vector(protein, longest=MAX_RESIDUES)


def _reference_vectors(
    name: str, load: Callable[[], Callable[[str], torch.Tensor]], sequences: Sequence[str], tell: Tell
) -> NDArray[np.float32]:
    """The vectors of a reference, which is loaded for that alone; equal sequences are computed once."""
    tell(f"{len(sequences):,} frames by the reference: {name}, FP32, one at a time")
    vector = load()
    known: dict[str, NDArray[np.float32]] = {}
    for sequence in sequences:
        if sequence not in known:
            known[sequence] = vector(sequence).cpu().numpy()
    del vector
    _give_memory_back()
    return np.stack([known[sequence] for sequence in sequences])


def _give_memory_back() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _scores(
    bundle: Bundle,
    ours: Embedded,
    nucleotide: NDArray[np.float32],
    protein: NDArray[np.float32],
    lengths: NDArray[np.int64],
) -> ScoreFigures:
    head, folder = load_head(bundle), bundle.path / "head"
    if isinstance(head, ShortRecordsHead):
        found = head.scores_by_length(ours.nucleotide, ours.protein, lengths)
    else:
        found = head.scores(ours.nucleotide, ours.protein)
    vectors, proteins = torch.from_numpy(nucleotide), torch.from_numpy(protein)
    expected = ReferenceHead.load(folder).scores(vectors, proteins).numpy()
    if (short := ReferenceHead.load_short(folder)) is not None:
        below, part = short
        alone = part.scores(vectors, proteins[:, :0]).numpy()
        expected = np.where((lengths < below)[:, None], alone, expected)
    return ScoreFigures(found[:, 1], expected[:, 1])


def _score_report(scores: ScoreFigures) -> dict[str, Any]:
    return {
        "labels_changed": len(scores.flips),
        "agreement": 1 - len(scores.flips) / len(scores.found),
        "largest_change": float(scores.differences.max()),
        "median_change": float(np.median(scores.differences)),
    }


def _frame_report(
    frame: Frame, place: int, vectors: Sequence[VectorFigures], scores: ScoreFigures | None
) -> dict[str, Any]:
    return {
        "record_id": frame.record_id,
        "chunk": frame.chunk,
        "frame": frame.name,
        "residues": len(frame.protein),
        "centred_cosine": min(float(figures.centred[place]) for figures in vectors),
        "score": None if scores is None else float(scores.found[place]),
        "reference_score": None if scores is None else float(scores.expected[place]),
        "label_changed": None if scores is None else place in scores.flips,
    }
