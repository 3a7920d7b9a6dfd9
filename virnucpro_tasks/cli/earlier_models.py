"""The bundle that --model-type and --model-path of earlier versions name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.errors import BackendError, SettingsError, install_hint
from virnucpro_tasks.models.bundle import Bundle
from virnucpro_tasks.models.locate import locate_bundle
from virnucpro_tasks.settings import Settings

CUSTOM = "custom"
PUBLISHED_LENGTHS = ("300", "500")
DEFAULT_TYPE = "500"


def chosen_bundle(
    settings: Settings,
    *,
    given: str | None,
    model_type: str | None,
    model_path: Path | None,
    classifiers: Mapping[str, Path | None],
    chunk_length: int | None,
    allow_mismatch: bool,
    quiet: bool,
) -> str | None:
    """The bundle of a run, as the setting `bundle` names it; None if there is none.

    `given` is the value of --bundle; `model_path` a bundle, or a classifier for the models of the bundle that would be
    used without it; without it the one of `classifiers` that is of the model type is taken, and without a type of the
    chunk length of the bundle that is given, or else of 500. With `allow_mismatch` the chunk length need not be that of
    the classifier. Raises SettingsError for what contradicts itself, BundleError.
    """
    if model_path is None:
        kind = model_type or _type_of(given)
        if (model_path := classifiers.get(kind)) is not None:
            _require_classifier(model_path, kind)
            model_type = kind
    if model_type == CUSTOM and model_path is None:
        raise SettingsError(
            "--model-type custom needs --model-path", hint="give a bundle, or a classifier such as x.pth"
        )
    if model_path is not None and model_path.is_dir():
        if given is not None:
            raise SettingsError(
                f"--bundle {given} and --model-path {model_path} are two bundles", hint="give one of them"
            )
        return _checked(str(model_path), model_type)
    if model_path is not None:
        # The bundles of both lengths have the same models; only their heads differ.
        encoders = given or settings.bundle or settings.bundle_500 or settings.bundle_300
        return _with_head(
            settings,
            locate_bundle(encoders),
            model_path,
            model_type,
            chunk_length,
            allow_mismatch=allow_mismatch,
            quiet=quiet,
        )
    if given is not None:
        return _checked(given, model_type)
    found = _by_type(settings, model_type)
    if found is None and model_type in PUBLISHED_LENGTHS:
        raise SettingsError(
            f"no bundle is set for --model-type {model_type}",
            hint=f"set VIRNUCPRO_BUNDLE_{model_type} or bundle_{model_type} in the settings file to the bundle that "
            f"'virnucpro models convert --head {model_type}_model.pth' makes",
        )
    return found


def _type_of(given: str | None) -> str:
    """The model type of the bundle that is given, if it has one, or else the default."""
    trained = DEFAULT_TYPE if given is None else str(locate_bundle(given).description.chunk_length)
    return trained if trained in PUBLISHED_LENGTHS else DEFAULT_TYPE


def _require_classifier(path: Path, model_type: str) -> None:
    if not path.exists():
        raise SettingsError(
            f"there is no classifier {path}, which --classifier-{model_type} or prediction.models.{model_type} in the "
            f"settings file names for --model-type {model_type}",
            hint="correct it, or remove it: then the bundle's own head is used",
        )


def _by_type(settings: Settings, model_type: str | None) -> str | None:
    """The bundle that the settings have for a model type; without a type `bundle`, or else that of the default, 500."""
    if model_type not in PUBLISHED_LENGTHS:
        return settings.bundle or settings.bundle_500 or settings.bundle_300
    if named := {"300": settings.bundle_300, "500": settings.bundle_500}[model_type]:
        return _checked(named, model_type)
    if settings.bundle and locate_bundle(settings.bundle).description.chunk_length == int(model_type):
        return settings.bundle
    return None


def _checked(name: str, model_type: str | None) -> str:
    """`name`, if its head is of the model type. Raises SettingsError, BundleError."""
    if model_type in PUBLISHED_LENGTHS:
        trained = locate_bundle(name).description.chunk_length
        if trained != int(model_type):
            raise SettingsError(
                f"the head of the bundle {name} was trained on chunks of {trained} bases, and --model-type is "
                f"{model_type}",
                hint="leave --model-type away, or give another bundle",
            )
    return name


def _with_head(
    settings: Settings,
    encoders: Bundle,
    head: Path,
    model_type: str | None,
    chunk_length: int | None,
    *,
    allow_mismatch: bool,
    quiet: bool,
) -> str:
    """The folder of a bundle with the classifier `head`; its name or digest counts more than what the user says."""
    try:
        # Imported here: it loads torch.
        from virnucpro_tasks.models.head_length import head_length, heads_known_here, tells_length
        from virnucpro_tasks.models.with_head import bundle_with_head
    except ImportError as error:
        raise BackendError(f"--model-path needs {error.name}", hint=install_hint("worker")) from None
    by_type = int(model_type) if model_type in PUBLISHED_LENGTHS else None
    known = heads_known_here(downloads=settings.downloads)
    flag = "--model-type" if by_type else "--expected-length"
    stated = by_type or chunk_length
    if allow_mismatch and by_type is None and tells_length(head, known):
        stated = None
    trained = head_length(head, stated, known, flag=flag)
    if trained.warning:
        say(f"warning: {trained.warning}", quiet=quiet)
    bundle = bundle_with_head(encoders, head, chunk_length=trained.chunk_length)
    say(f"the classifier {head} is used with the models of {encoders.path}: bundle {bundle.path}", quiet=quiet)
    return str(bundle.path)
