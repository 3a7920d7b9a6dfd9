"""Creates a job in the store from the settings and options of a user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.classifier.head_files import read_record_score
from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.jobs.check_inputs import refuse_inputs
from virnucpro_tasks.jobs.find_inputs import require_inputs
from virnucpro_tasks.jobs.job import Importer, Job, JobParameters, create_job
from virnucpro_tasks.jobs.original_rules import by_original_rules
from virnucpro_tasks.jobs.output_options import ALL_FILES, OutputOptions
from virnucpro_tasks.jobs.rescored import RescoredWork
from virnucpro_tasks.jobs.sharing import Submitter, job_rights
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.locate import find_bundle
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.reads.record import DEFAULT_MIN_LENGTH
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.users import login_name


def submit(
    settings: Settings,
    inputs: Sequence[Path | ReadInput],
    *,
    chunk_length: int | None,
    min_length: int | None,
    strict: bool,
    keep_embeddings: bool,
    priority: int,
    scored: bool = True,
    allow_empty: bool = False,
    coverage: Coverage = Coverage.FRAMES,
    both_strands: bool = False,
    compat: Compat = Compat.NONE,
    outputs: OutputOptions = ALL_FILES,
    importing: Callable[[JobParameters, Bundle], Importer] | None = None,
    rescored: RescoredWork | None = None,
    submitter: Submitter | None = None,
) -> Job:
    """Create a job, not yet queued. Options that are None come from the bundle or the defaults.

    Inputs of a sample sheet come as `read_sample_sheet` gives them, all others as paths.

    `importing` gives what takes vectors over from an earlier tool, `rescored` says what is scored again. With `scored`
    false the bundle needs no head. Without a `submitter` workers are this user. Raises BundleError, InputError,
    SettingsError or StoreError.
    """
    settings, min_length = by_original_rules(
        settings, compat, min_length=min_length, coverage=coverage, both_strands=both_strands
    )
    sources = named_inputs(inputs, compat=compat)
    require_inputs([source.path for source in sources])
    bundle = find_bundle(settings.bundle)
    # Loaded for its errors: a head that does not fit its models is reported before anything is embedded.
    if scored or bundle.description.has_head:
        load_head(bundle)
    if scored:
        require_coverage(bundle, coverage)
    if scored and (outputs.prior is not None or outputs.asks_for_rates):
        _require_probabilities(bundle)
    refuse_inputs(sources, strict=strict, allow_empty=allow_empty)
    rights = job_rights(settings.store, [source.path for source in sources], submitter or Submitter.here())
    parameters = JobParameters(
        chunk_length=chunk_length or bundle.description.chunk_length,
        min_length=DEFAULT_MIN_LENGTH if min_length is None else min_length,
        precision=settings.precision or bundle.description.precision,
        dialect=settings.dialect,
        strict=strict,
        keep_embeddings=keep_embeddings,
        priority=priority,
        shard_tokens=settings.shard_tokens,
        max_attempts=settings.max_attempts,
        outputs=outputs,
        coverage=coverage,
        both_strands=both_strands or msgspec.UNSET,
        compat=compat,
    )
    return create_job(
        settings.store,
        sources,
        parameters,
        bundle,
        rights=rights,
        owner=settings.owner or login_name(),
        allow_empty=allow_empty,
        rescored=rescored,
        importer=None if importing is None else importing(parameters, bundle),
    )


def require_coverage(bundle: Bundle, coverage: Coverage) -> None:
    """Raise SettingsError for a head that cannot score records by what is to stand for their chunks.

    Raises BundleError for a head whose configuration was changed.
    """
    if coverage is Coverage.SEGMENTS and not read_record_score(bundle).has_segments:
        raise SettingsError(
            f"--coverage segments: the head of the bundle {bundle.description.name!r} was not fitted to segments",
            hint="leave it out, or fit a head with 'virnucpro train --coverage segments'",
        )


def _require_probabilities(bundle: Bundle) -> None:
    """Raise SettingsError for a bundle whose scores of records allow no false-discovery rates."""
    if not read_record_score(bundle).is_fitted:
        raise SettingsError(
            f"the bundle {bundle.description.name!r} gives no false-discovery rates: its head has no values for the "
            "score of a record",
            hint="choose by --min-score instead of --prior and --max-fdr, or fit a head with 'virnucpro train'",
        )


def named_inputs(inputs: Iterable[Path | ReadInput], *, compat: Compat = Compat.NONE) -> list[ReadInput]:
    """The inputs, those that are paths with these as their names, to be read by the rules of `compat`."""
    named = (source if isinstance(source, ReadInput) else ReadInput(source, str(source)) for source in inputs)
    return [replace(source, compat=compat) for source in named]
