"""Gathers facts on each input file from the shards that are cut from the inputs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa

from virnucpro_tasks.shards.plan import InputFacts


class InputTally:
    """The facts on the inputs of a job, as far as its shards were added. The reader counts in `skipped`, by input."""

    def __init__(self) -> None:
        self.skipped: Counter[int] = Counter()
        self._first_records: dict[int, int] = {}
        self._with_mates: set[int] = set()

    def add(self, chunks: pa.Table) -> None:
        """Add the chunk table of the next shard."""
        inputs, records, mates = (chunks[name].to_numpy() for name in ("input_ordinal", "record_ordinal", "mate"))
        for row in np.flatnonzero(np.diff(inputs, prepend=-1)).tolist():
            self._first_records.setdefault(int(inputs[row]), int(records[row]))
        self._with_mates.update(np.unique(inputs[mates > 0]).tolist())

    def facts(self, count: int) -> list[InputFacts]:
        """The facts on `count` inputs, in their order."""
        return [
            InputFacts(
                first_record=self._first_records.get(ordinal, -1),
                has_mates=ordinal in self._with_mates,
                skipped=self.skipped[ordinal],
            )
            for ordinal in range(count)
        ]
