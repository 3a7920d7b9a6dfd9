"""Warnings of input that lies outside of what the models were trained on."""

from __future__ import annotations

from virnucpro_tasks.errors import counted
from virnucpro_tasks.jobs.job import JobSpec
from virnucpro_tasks.jobs.vectors import takes_whole_proteins
from virnucpro_tasks.models.bundle import BundleDescription
from virnucpro_tasks.reads.batches import AMBIGUOUS_SHARE
from virnucpro_tasks.shards.plan import MAX_RESIDUES, Plan


def out_of_range(spec: JobSpec, description: BundleDescription, plan: Plan) -> list[str]:
    """Warnings of chunks of another length than the head knows, of ambiguous records and of long proteins."""
    found = []
    length, trained = spec.parameters.chunk_length, description.chunk_length
    if description.has_head and length != trained:
        found.append(f"chunks are {length} bases long, the head was trained on {trained}")
    for ordinal, entry in enumerate(spec.inputs):
        if ambiguous := plan.facts(ordinal).ambiguous:
            found.append(
                f"{entry.name}: in {counted(ambiguous, 'record')} more than {AMBIGUOUS_SHARE:.0%} of the letters are "
                "none of A, C, G, T: codons with one are left out of their frames, and the classifiers were trained "
                "without any"
            )
    if long_proteins := sum(plan.facts(ordinal).long_proteins for ordinal in range(len(spec.inputs))):
        treated = "computed whole, as by the original" if takes_whole_proteins(spec.parameters) else "cut to these"
        found.append(
            f"{counted(long_proteins, 'open frame')} of more than {MAX_RESIDUES:,} residues, for which ESM-2 was "
            f"trained: {treated}"
        )
    return found
