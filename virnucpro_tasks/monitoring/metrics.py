"""All metrics of a deployment, each with its labels and the values that one look at it gives.

Jobs that are over are counted by state alone, so the number of series is bounded by open jobs and by workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from virnucpro_tasks.monitoring.look import Look, OpenJob, SeenWorker
from virnucpro_tasks.queue.work_counts import ENDS
from virnucpro_tasks.system.gpu_reading import GpuReading

PREFIX = "virnucpro_"


class Kind(StrEnum):
    """The type of a metric: a gauge may fall, a counter never does, but for a new beginning at 0."""

    GAUGE = "gauge"
    COUNTER = "counter"


Sample = tuple[tuple[str, ...], float | None]
"""The values of the labels, and the value; None for one that is not known."""


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric: its name without PREFIX, what it tells, its labels, and its samples in a look."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Look], Iterable[Sample]]
    kind: Kind = Kind.GAUGE

    @property
    def full_name(self) -> str:
        """The name as Prometheus shows it; that of a counter ends in _total."""
        return PREFIX + self.name + ("_total" if self.kind is Kind.COUNTER else "")

    def family(self, look: Look) -> Metric:
        """The metric with all its samples that are known."""
        make = CounterMetricFamily if self.kind is Kind.COUNTER else GaugeMetricFamily
        family = make(PREFIX + self.name, self.help, labels=self.labels)
        for values, number in self.samples(look):
            if number is not None:
                family.add_metric(values, float(number))
        return family


def families(look: Look) -> Iterator[Metric]:
    """All metrics of a look."""
    for spec in METRICS:
        yield spec.family(look)


JOB = ("job_id", "name", "owner")
"""Labels of an open job: its id, first name or "", and who submitted it. Prometheus has a label `job` of its own."""

WORKER = ("worker",)
"""Label of a worker: its node name."""


def _one(value: Callable[[Look], float | None]) -> Callable[[Look], Iterable[Sample]]:
    return lambda look: [((), value(look))]


def _of_jobs(value: Callable[[OpenJob], float | None]) -> Callable[[Look], Iterable[Sample]]:
    return lambda look: ((_job(job), value(job)) for job in look.open_jobs)


def _job(job: OpenJob) -> tuple[str, ...]:
    return job.job_id, next(iter(job.identity.names), ""), job.identity.owner


def _of_workers(value: Callable[[SeenWorker], float | None]) -> Callable[[Look], Iterable[Sample]]:
    return lambda look: (((worker.name,), value(worker)) for worker in look.workers)


def _of_answering(value: Callable[[SeenWorker], float | None]) -> Callable[[Look], Iterable[Sample]]:
    return lambda look: (((worker.name,), value(worker)) for worker in look.workers if worker.info is not None)


def _of_gpus(value: Callable[[GpuReading], float | None]) -> Callable[[Look], Iterable[Sample]]:
    return lambda look: (
        ((worker.name,), value(worker.facts.gpu)) for worker in look.workers if worker.facts.gpu is not None
    )


def _job_shards(look: Look) -> Iterator[Sample]:
    for job in look.open_jobs:
        done, total = job.progress.shards_done, job.progress.shards_total
        yield (*_job(job), "done"), done
        yield (*_job(job), "quarantined"), job.progress.shards_quarantined
        yield (*_job(job), "running"), None if look.redis_error else job.shards_running
        yield (*_job(job), "waiting"), job.waiting
        yield (*_job(job), "all"), total


def _job_tokens(look: Look) -> Iterator[Sample]:
    for job in look.open_jobs:
        yield (*_job(job), "done"), job.progress.tokens_done
        yield (*_job(job), "all"), job.progress.tokens_total


def _queued(count: Callable[[OpenJob], int | None]) -> Callable[[Look], Iterable[Sample]]:
    """The sums of a count over open jobs, by the queue of their bundle and by their owner, without unknown ones."""

    def samples(look: Look) -> Iterator[Sample]:
        sums: Counter[tuple[str, str]] = Counter()
        for job in look.open_jobs:
            if (number := count(job)) is not None:
                sums[job.queue, job.identity.owner] += number
        yield from sums.items()

    return samples


def _with_workers(samples: Callable[[Look], Iterable[Sample]]) -> Callable[[Look], Iterable[Sample]]:
    """The samples, none while workers cannot be asked: nobody knows then what they are at."""
    return lambda look: () if look.redis_error else samples(look)


def _served(look: Look) -> Iterator[Sample]:
    """How many answering workers serve the queue of each bundle with open jobs, and the coordinators."""
    needed = {job.queue for job in look.open_jobs}
    infos = [worker.info for worker in look.workers if worker.info is not None]
    for queue in sorted(needed):
        yield (queue,), sum(queue in info.queues for info in infos)
    yield ("coordinator",), sum(worker.is_coordinator for worker in look.workers)


def _shard_ends(look: Look) -> Iterator[Sample]:
    # 0 for ends that have not been there: of a series that begins with 1, Prometheus sees no increase.
    for worker in look.workers:
        for end in sorted({*ENDS, *worker.counts.shards}):
            yield (worker.name, end), worker.counts.shards.get(end, 0)


def _versions(look: Look) -> Iterator[Sample]:
    for worker in look.workers:
        if worker.info is not None and worker.facts.version:
            facts = worker.facts
            yield (worker.name, facts.version, facts.host, facts.device, facts.driver), 1


METRICS: tuple[MetricSpec, ...] = (
    MetricSpec(
        "look_timestamp_seconds", "Time of the look that these values are of.", (), lambda look: [((), look.at)]
    ),
    MetricSpec("look_seconds", "Time that the look took.", (), _one(lambda look: look.seconds)),
    MetricSpec(
        "redis_up",
        "Whether Redis answers, be it full: 1 or 0.",
        (),
        _one(lambda look: look.redis_full or not look.redis_error),
    ),
    MetricSpec("store_up", "Whether the store can be read: 1 or 0.", (), _one(lambda look: not look.store_error)),
    MetricSpec(
        "jobs",
        "Jobs of the store by state.",
        ("state",),
        lambda look: (((str(state),), number) for state, number in look.jobs.items()),
    ),
    MetricSpec(
        "jobs_unreadable",
        "Jobs of the store with damaged files.",
        (),
        _one(lambda look: None if look.store_error else look.unreadable),
    ),
    MetricSpec(
        "job_progress_ratio",
        "Embedded tokens of an open job over all of its tokens; 1 once finishing has begun, absent while splitting.",
        JOB,
        _of_jobs(
            lambda job: (
                None
                if job.progress.tokens_total is None or job.progress.tokens_done is None
                else job.progress.tokens_done / job.progress.tokens_total
                if job.progress.tokens_total
                else 1.0
            )
        ),
    ),
    MetricSpec(
        "job_eta_seconds",
        "Time until all shards of an open job are embedded, at its present speed; absent until that is known.",
        JOB,
        _of_jobs(lambda job: job.rate.seconds_left if job.rate else None),
    ),
    MetricSpec(
        "job_tokens_per_second",
        "ESM-2 tokens of an open job that are embedded in a second.",
        JOB,
        _of_jobs(lambda job: job.rate.tokens_per_second if job.rate else None),
    ),
    MetricSpec(
        "job_shards",
        "Shards of an open job by state; `done` includes `quarantined`; `all` is absent before splitting is complete.",
        (*JOB, "state"),
        _job_shards,
    ),
    MetricSpec("job_tokens", "ESM-2 tokens of an open job: all, and those embedded.", (*JOB, "state"), _job_tokens),
    MetricSpec("job_age_seconds", "Time since an open job was submitted.", JOB, _of_jobs(lambda job: job.age_seconds)),
    MetricSpec(
        "job_idle_seconds",
        "Time since the folder of an open job last showed progress: a shard begun or finished, or a stage.",
        JOB,
        _of_jobs(lambda job: job.idle_seconds),
    ),
    MetricSpec(
        "job_waiting_seconds",
        "The same for an open job at which no worker is; 0 if one is at it.",
        JOB,
        _with_workers(_of_jobs(lambda job: 0.0 if job.running else job.idle_seconds)),
    ),
    MetricSpec(
        "job_oldest_task_seconds",
        "Age of the task of an open job that has run for longest; absent if none runs.",
        JOB,
        _of_jobs(lambda job: job.oldest_seconds),
    ),
    MetricSpec(
        "queue_shards_waiting",
        "Shards that no worker has taken, by queue of their bundle and by owner.",
        ("queue", "owner"),
        _queued(lambda job: job.waiting),
    ),
    MetricSpec(
        "queue_shards_running",
        "Shards that workers are at.",
        ("queue", "owner"),
        _with_workers(_queued(lambda job: job.shards_running)),
    ),
    MetricSpec(
        "queue_tokens_left",
        "ESM-2 tokens of open jobs that are still to be embedded, as far as they are counted.",
        ("queue", "owner"),
        _queued(lambda job: job.tokens_left or 0),
    ),
    MetricSpec(
        "queue_workers",
        "Answering workers that serve the queue of an open job, and coordinators (queue `coordinator`).",
        ("queue",),
        _with_workers(_served),
    ),
    MetricSpec(
        "worker_up", "Whether a worker answers: 1 or 0.", WORKER, _of_workers(lambda one: float(one.info is not None))
    ),
    MetricSpec(
        "worker_info",
        "An answering worker: version, host, GPU and driver. Always 1.",
        (*WORKER, "version", "host", "device", "driver"),
        _versions,
    ),
    MetricSpec(
        "worker_gpu_used_bytes",
        "Memory of the GPU of an answering worker that is in use, by whichever process.",
        WORKER,
        _of_gpus(lambda gpu: gpu.used_bytes),
    ),
    MetricSpec("worker_gpu_size_bytes", "Memory that this GPU has.", WORKER, _of_gpus(lambda gpu: gpu.total_bytes)),
    MetricSpec(
        "worker_gpu_busy_ratio",
        "Share of the second before the look in which this GPU computed; absent for a MIG instance.",
        WORKER,
        _of_gpus(lambda gpu: gpu.busy_share),
    ),
    MetricSpec(
        "worker_gpu_power_watts",
        "Power that this GPU takes; absent for a MIG instance.",
        WORKER,
        _of_gpus(lambda gpu: gpu.watts),
    ),
    MetricSpec(
        "worker_task_seconds",
        "Age of the task that a worker is at; 0 if it is idle.",
        WORKER,
        _of_answering(
            lambda one: max((task.seconds or 0.0 for task in one.info.running), default=0.0) if one.info else None
        ),
    ),
    MetricSpec(
        "worker_quiet_seconds",
        "Time since a worker's last sign of progress at its task; 0 if it is idle.",
        WORKER,
        _of_answering(lambda one: one.quiet_seconds),
    ),
    MetricSpec(
        "worker_last_death_timestamp_seconds",
        "Time when a worker last died, by the clock of Redis; absent once it has finished a task since.",
        WORKER,
        _of_workers(lambda one: one.trouble.at if one.trouble else None),
    ),
    MetricSpec(
        "worker_shards",
        "Tasks at shards by worker and end: embedded, quarantined, failed, stopped, reassigned (taken over by another "
        "worker), refused (Redis or the store failed).",
        (*WORKER, "end"),
        _shard_ends,
        Kind.COUNTER,
    ),
    MetricSpec(
        "worker_deaths",
        "Deaths of a worker's processes that nobody stopped; a shard that one of them was at is tried again.",
        WORKER,
        _of_workers(lambda one: one.counts.deaths),
        Kind.COUNTER,
    ),
    MetricSpec(
        "worker_tokens",
        "ESM-2 tokens that a worker has embedded.",
        WORKER,
        _of_workers(lambda one: one.counts.tokens),
        Kind.COUNTER,
    ),
    MetricSpec(
        "worker_busy_seconds",
        "Time that a worker has spent on tasks at shards; its rate is the busy share, the rest are pauses.",
        WORKER,
        _of_workers(lambda one: one.counts.seconds),
        Kind.COUNTER,
    ),
    MetricSpec(
        "worker_packed_tokens",
        "Tokens of both models in packs; over worker_pack_capacity it is the token fill.",
        WORKER,
        _of_workers(lambda one: one.counts.packed_tokens),
        Kind.COUNTER,
    ),
    MetricSpec(
        "worker_pack_capacity",
        "Tokens that these packs could hold.",
        WORKER,
        _of_workers(lambda one: one.counts.capacity),
        Kind.COUNTER,
    ),
    MetricSpec(
        "worker_out_of_memory_packs",
        "Packs that were too large for the device and halved.",
        WORKER,
        _of_workers(lambda one: one.counts.out_of_memory),
        Kind.COUNTER,
    ),
    MetricSpec(
        "worker_recomputed_packs",
        "Packs that overflowed in half precision and were computed again in FP32.",
        WORKER,
        _of_workers(lambda one: one.counts.recomputed_packs),
        Kind.COUNTER,
    ),
    MetricSpec(
        "jobs_with_store_failures",
        "Jobs to which the store has failed since their last finished task.",
        (),
        _one(lambda look: None if look.redis_error else look.store_failures),
    ),
    MetricSpec(
        "store_free_bytes",
        "Free bytes of the file system of the store.",
        (),
        _one(lambda look: look.store.free_bytes if look.store else None),
    ),
    MetricSpec(
        "store_size_bytes",
        "Bytes of the file system of the store.",
        (),
        _one(lambda look: look.store.total_bytes if look.store else None),
    ),
    MetricSpec(
        "store_free_inodes",
        "Free inodes of the file system of the store; absent where they are not counted.",
        (),
        _one(lambda look: look.store.free_inodes if look.store and look.store.total_inodes else None),
    ),
    MetricSpec(
        "redis_used_bytes",
        "Memory that Redis uses.",
        (),
        _one(lambda look: look.redis.used_bytes if look.redis else None),
    ),
    MetricSpec(
        "redis_limit_bytes",
        "Memory that Redis may use: maxmemory, or else all of its machine.",
        (),
        _one(lambda look: look.redis.limit_bytes if look.redis else None),
    ),
)
