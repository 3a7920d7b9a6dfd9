"""False-discovery rates in run.json: for which share of viruses they are, or why there are none."""

from __future__ import annotations

from typing import Any

from virnucpro_tasks.classifier.false_discoveries import FalseDiscoveries
from virnucpro_tasks.jobs.job import JobSpec
from virnucpro_tasks.jobs.output_options import FALSE_DISCOVERY_LEVELS


def rates_report(spec: JobSpec, found: FalseDiscoveries) -> dict[str, Any]:
    """How the false-discovery rates were found: the share of viruses that they are for, and from where it is.

    `levels` has the least virus_score up to the rates of presets and of the user, None if no score has it. `refusal`
    is empty, or tells why there are no rates.
    """
    asked = [rate for rate in (spec.parameters.outputs.rate_cutoffs.max_fdr,) if rate is not None]
    prior = found.prior
    has_rates = prior is not None and found.are_there
    return {
        "refusal": found.refusal,
        "prior": prior.share if prior is not None and has_rates else None,
        "prior_is": ("given" if prior.is_given else "estimated") if prior is not None and has_rates else None,
        "prior_standard_error": (
            prior.standard_error if prior is not None and has_rates and not prior.is_given else None
        ),
        "records": prior.records if prior is not None else None,
        "levels": {
            f"{rate:g}": None if (score := found.score_at(rate)) is None else float(f"{score:.6g}")
            for rate in sorted({*FALSE_DISCOVERY_LEVELS.values(), *asked})
        }
        if has_rates
        else {},
    }


def unmet_rates(spec: JobSpec, found: FalseDiscoveries) -> list[str]:
    """A warning if the user chose sequences by a false-discovery rate, and the job has none."""
    outputs = spec.parameters.outputs
    if found.are_there or not outputs.asks_for_rates:
        return []
    return [
        f"there are no false-discovery rates ({found.refusal}): the sequences are chosen by the score cutoffs of the "
        f"preset {outputs.preset!r}, not by --max-fdr {outputs.rate_cutoffs.max_fdr:g}"
    ]
