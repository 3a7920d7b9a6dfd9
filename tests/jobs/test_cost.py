from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from job import SAMPLE, make_job

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.jobs.cost import cost_of
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan


def test_the_cost_is_that_of_the_plan_of_a_job(settings: Settings) -> None:
    cost = cost_of([ReadInput(SAMPLE, "x")], chunk_length=400, min_length=60, strict=False)
    plans = {}
    for coverage, both_strands in product(Coverage, (False, True)):
        few = replace(settings, shard_tokens=500)
        job = make_job(few, SAMPLE, chunk_length=400, coverage=coverage, both_strands=both_strands, scored=False)
        list(split_files(job))
        plans[coverage, both_strands] = read_plan(job.paths.plan)
    alone, covered = plans[Coverage.FRAMES, False], plans[Coverage.SEGMENTS, False]
    assert (cost.frames, cost.tokens) == (sum(entry.frames for entry in alone.shards), alone.tokens)
    assert cost.tokens + cost.segment_tokens == covered.tokens
    assert (cost.segments, cost.segment_tokens) == (covered.segments, covered.segment_tokens)
    assert cost.segments > 0
    for coverage in Coverage:
        one, both = plans[coverage, False], plans[coverage, True]
        assert cost.of_reverse(coverage) == (both.reverse_frames, both.reverse_tokens)
        assert both.tokens == one.tokens + both.reverse_tokens > one.tokens
        assert (both.segments, both.segment_tokens) == (one.segments, one.segment_tokens)


def test_records_and_chunks_are_counted_once(tmp_path: Path) -> None:
    file = tmp_path / "in.fasta"
    file.write_text(f">long\n{'ACG' * 200_000}\n>short\nACGT\n>n\n{'N' * 90}\n>bad\nAC-GT\n>open\n{'ACG' * 100}\n")
    cost = cost_of([ReadInput(file, "x")], chunk_length=500, min_length=60, strict=False)
    assert (cost.records, cost.bases) == (5, 600_000 + 4 + 90 + 5 + 300)
    assert cost.chunks == {"scored": 1_201, "no_open_frame": 1}
    with pytest.raises(InputError, match="illegal character"):
        cost_of([ReadInput(file, "x")], chunk_length=500, min_length=60, strict=True)
