"""The model card of a fitted head, kept in its bundle: its data, its encoders and its figures on the test part."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.labels import TEST
from virnucpro_tasks.heads.metrics import Metrics, by_length
from virnucpro_tasks.heads.train import Fitted
from virnucpro_tasks.jobs.staging import StagedInput
from virnucpro_tasks.models.bundle import ENCODER_FILES, Bundle
from virnucpro_tasks.models.card import encoder_weights

GROUPS_IN_CARD = 500
"""More groups than that are only counted."""


def model_card(
    examples: Examples,
    fitted: Fitted,
    *,
    kind: str,
    encoders: Bundle,
    inputs: Sequence[StagedInput],
    chunk_length: int,
    seed: int,
    intended_use: str,
) -> dict[str, Any]:
    """The card as plain values. `fitted` scored `examples`; the figures are of the test part, by open frames alone, and
    of a head that was fitted to segments also with these.
    """
    parts, test = fitted.parts, fitted.parts[TEST]
    virus, by_frames = examples.virus, test[examples.frames[test] > 0]
    description = encoders.description
    return {
        "intended_use": intended_use,
        "demonstration": description.demonstration,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": version("virnucpro-tasks"),
        "head": {"kind": kind, "seed": seed, "chunk_length": chunk_length} | _short_head(fitted),
        "record_score": msgspec.to_builtins(fitted.record_score)
        | {
            "formula": RecordScore(fitted.record_score, nucleotides_below=below_of(fitted)).formula,
            "fitted_on": "the records of the part 'calibrate', classes and groups alike",
        },
        "scores_are_right_for": "as many viruses as others",
        "encoders": {
            "nucleotide": description.nucleotide_model,
            "protein": description.protein_model,
            "sha256": {name: description.sha256[name] for name in ENCODER_FILES},
            "weights": encoder_weights(encoders.path),
            "licences": {part: text for part, text in description.licences.items() if part != "head"},
        },
        # The name alone: where the file lay is private.
        "data": [{"name": Path(entry.name).name, "bytes": entry.bytes, "sha256": entry.sha256} for entry in inputs],
        "parts": {
            part: {
                "records": len(records),
                "viruses": int(virus[records].sum()),
                "groups": len({examples.labels[record].group for record in records}),
            }
            for part, records in parts.items()
        },
        "unseen_groups": Metrics.of(fitted.scores[by_frames], virus[by_frames]).as_dict(),
        "unseen_groups_by_mean_viral_score": Metrics.of(fitted.means[by_frames], virus[by_frames]).as_dict(),
        "unseen_groups_by_length": by_length(fitted.scores[by_frames], virus[by_frames], examples.lengths[by_frames]),
        **_covered_figures(examples, fitted),
        **_short_figures(fitted),
        "test_groups": sorted({examples.labels[record].group for record in test})[:GROUPS_IN_CARD],
    }


def below_of(fitted: Fitted) -> int | None:
    """The bases from which on records are scored by both vectors; None if all are."""
    return None if fitted.short is None else fitted.short.below


def _short_head(fitted: Fitted) -> dict[str, Any]:
    return {} if fitted.short is None else {"nucleotides_below": fitted.short.below}


def _short_figures(fitted: Fitted) -> dict[str, Any]:
    """Figures of short records by nucleotides alone, as they are scored, and as both vectors would score them."""
    if fitted.short is None:
        return {}
    figures = {
        part: {way: metrics.as_dict() for way, metrics in ways.items()}
        for part, ways in fitted.short.comparison.items()
    }
    return {"short_records": {"below": fitted.short.below, **figures}}


def _covered_figures(examples: Examples, fitted: Fitted) -> dict[str, Any]:
    """Figures of all records that were cut, scored by segments too."""
    if fitted.covered_scores is None:
        return {}
    test = fitted.parts[TEST]
    scores, virus = fitted.covered_scores[test], examples.virus[test]
    return {
        "unseen_groups_covered_by_segments": Metrics.of(scores, virus).as_dict(),
        "unseen_groups_covered_by_segments_by_length": by_length(scores, virus, examples.lengths[test]),
    }
