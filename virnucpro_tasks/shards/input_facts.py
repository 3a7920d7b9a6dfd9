"""Gathers facts on each input file from the shards that are cut from the inputs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow.compute as pc

from virnucpro_tasks.reads.tables import FrameBatch
from virnucpro_tasks.shards.plan import MAX_RESIDUES, InputFacts


class InputTally:
    """The facts on the inputs of a job, as far as its shards were added. The reader counts in `skipped` and
    `ambiguous`, by input.
    """

    def __init__(self) -> None:
        self.skipped: Counter[int] = Counter()
        self.ambiguous: Counter[int] = Counter()
        self._long_proteins: Counter[int] = Counter()
        self._first_records: dict[int, int] = {}
        self._with_mates: set[int] = set()

    def add(self, shard: FrameBatch) -> None:
        """Add the tables of the next shard."""
        chunks = shard.chunks
        inputs, records, mates = (chunks[name].to_numpy() for name in ("input_ordinal", "record_ordinal", "mate"))
        for row in np.flatnonzero(np.diff(inputs, prepend=-1)).tolist():
            self._first_records.setdefault(int(inputs[row]), int(records[row]))
        self._with_mates.update(np.unique(inputs[mates > 0]).tolist())
        are_long = pc.binary_length(shard.frames["protein"]).to_numpy() > MAX_RESIDUES
        if are_long.any():
            of_frames = shard.frames["record_ordinal"].to_numpy()[are_long]
            self._long_proteins.update(inputs[np.searchsorted(records, of_frames)].tolist())

    def facts(self, count: int) -> list[InputFacts]:
        """The facts on `count` inputs, in their order."""
        return [
            InputFacts(
                first_record=self._first_records.get(ordinal, -1),
                has_mates=ordinal in self._with_mates,
                skipped=self.skipped[ordinal],
                ambiguous=self.ambiguous[ordinal],
                long_proteins=self._long_proteins[ordinal],
            )
            for ordinal in range(count)
        ]
