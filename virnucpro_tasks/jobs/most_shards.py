"""How many shards a job can have at most, by the sizes of its inputs: more devices than that have nothing to do."""

from __future__ import annotations

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.reads.sources import is_compressed
from virnucpro_tasks.shards.plan import FINER_FROM_SHARDS, MAX_CHUNK_ROWS, SPECIAL_TOKENS

FRAMES = 6


def most_shards(job: Job) -> int | None:
    """The number of shards that `job` has at most; None if its input may be large, is compressed or cannot be read."""
    parameters = job.spec.parameters
    # The chunks of a record overlap by less than its length: together they have at most twice its bases.
    bases = 2 * job.spec.input_bytes
    chunks = bases // min(parameters.chunk_length, max(1, parameters.min_length))
    tokens = FRAMES * (bases // 3 + SPECIAL_TOKENS * chunks)
    if parameters.has_both_strands:
        tokens *= 2
    # A record that is too short has a row too.
    rows = chunks + job.spec.input_bytes
    shards = 1 + tokens // parameters.shard_tokens + rows // MAX_CHUNK_ROWS
    if shards >= FINER_FROM_SHARDS:
        return None
    try:
        packed = any(is_compressed(source.path) for source in job.inputs)
    except OSError:
        return None  # a job that is split already may do without it
    return None if packed else shards
