"""Keys in the YAML files of the package `virnucpro` 1.0 and 2.0, and what each of them is here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EarlierKey:
    """A key, its `default` there, and either the setting or option of `predict` that it is here, or the `reason` why it
    has no effect any more. With both it is the option, unless its value is the default. It `decided` what results were.
    """

    key: str
    default: Any
    setting: str = ""
    option: str = ""
    reason: str = ""
    decided: bool = False


_BATCHES = "packs are measured; 'token_budget' sets the tokens in one"
_HEAD = "'virnucpro models convert --head FILE' makes a bundle with it, which 'bundle_{}' names"
_CUT = "the work is cut by cost; 'shard_tokens' sets the size"
_CUT_PROTEINS = "proteins are cut to 1,022 residues"
_LAYER = "the last layer is taken, as the classifier needs it"
_LOADERS = "nothing is loaded by processes of its own"
_BUNDLE = "the models are in the bundle, which 'bundle' names"
_RESUMES = "each finished shard is kept, and the same command goes on from there"
_BAR = "the display adapts to the terminal"
_STATED = "each record is in records.tsv with its status and reason"

EARLIER_KEYS = (
    EarlierKey("version", "2.0.0", reason="the version of the file; its keys are recognised"),
    EarlierKey("prediction.batch_size", 256, reason="scores do not depend on a batch"),
    EarlierKey("prediction.num_workers", 4, reason=_LOADERS),
    EarlierKey("prediction.sequences_per_file", 10000, reason=_CUT),
    EarlierKey("prediction.default_model_type", "500", reason="it never had one; 'model_type' in 'predict' has"),
    *(
        EarlierKey(
            f"prediction.models.{length}",
            f"{length}_model.pth",
            option=f"classifier_{length}",
            reason=_HEAD.format(length),
            decided=True,
        )
        for length in (300, 500)
    ),
    EarlierKey("device.default", "auto", option="devices"),
    EarlierKey("device.fallback_to_cpu", True, reason="'auto' takes CPUs where there is no GPU"),
    EarlierKey("features.dnabert.model_name", "zhihan1996/DNABERT-S", reason=_BUNDLE, decided=True),
    EarlierKey("features.dnabert.trust_remote_code", True, reason="no code of a model is run"),
    EarlierKey("features.dnabert.batch_size", 256, reason=_BATCHES),
    EarlierKey("features.esm.model_name", "esm2_t36_3B_UR50D", reason=_BUNDLE, decided=True),
    EarlierKey("features.esm.truncation_seq_length", 1024, reason=_CUT_PROTEINS, decided=True),
    EarlierKey("features.esm.toks_per_batch", 2048, reason=_BATCHES),
    EarlierKey("features.esm.representation_layer", 36, reason=_LAYER, decided=True),
    EarlierKey("parallelization.enabled", False, reason="all devices of 'devices' are used"),
    EarlierKey("parallelization.num_workers", "auto", reason="'threads' sets the cores of all processes together"),
    EarlierKey("checkpointing.enabled", True, reason=_RESUMES),
    EarlierKey("checkpointing.checkpoint_dir", ".checkpoints", reason=_RESUMES),
    EarlierKey("checkpointing.keep_history", 5, reason=_RESUMES),
    EarlierKey("files.auto_cleanup", True, option="keep_embeddings"),
    EarlierKey("files.keep_files", [], reason="all result files are kept"),
    EarlierKey("logging.default_level", "INFO", setting="log_level"),
    EarlierKey("logging.format", "standard", reason="the log has one form"),
    EarlierKey("logging.auto_log_file", True, reason="virnucpro.log is always among the results"),
    EarlierKey("progress.enabled", True, option="no_progress"),
    EarlierKey("progress.bar_width", 100, reason=_BAR),
    EarlierKey("progress.update_interval", 0.1, reason=_BAR),
    EarlierKey("validation.warn_ambiguous_bases", True, reason=_STATED),
    EarlierKey("validation.max_ambiguous_percent", 5.0, reason=_STATED),
    EarlierKey("validation.check_duplicate_ids", True, reason="equal ids are allowed, and told apart by their number"),
)

_BY_KEY = {key.key: key for key in EARLIER_KEYS}
SECTIONS = frozenset(key.key.partition(".")[0] for key in EARLIER_KEYS)
"""The first parts of the keys; none of them is a setting or a command of ours."""


_LEVELS = {"WARN": "WARNING", "CRITICAL": "ERROR", "FATAL": "ERROR", "NOTSET": "DEBUG"}
"""Names of the logging of Python that are none of ours: the nearest one."""


@dataclass(frozen=True, slots=True)
class Found:
    """An earlier key of a file with its value."""

    key: EarlierKey
    value: Any

    @property
    def is_missed(self) -> bool:
        """Whether results would be others if the key still had its effect."""
        return self.key.decided and str(self.value) != str(self.key.default)

    @property
    def has_effect(self) -> bool:
        """Whether it sets a setting or option."""
        return bool(self.key.setting or self.key.option) and (self.is_missed or not self.key.reason)

    @property
    def translated(self) -> Any:
        """The value of the setting or option that the key is here."""
        if self.key.key in ("files.auto_cleanup", "progress.enabled"):
            return not self.value
        if self.key.setting == "log_level" and isinstance(self.value, str):
            return _LEVELS.get(self.value.upper(), self.value.upper())
        return self.value


class WrongKeyError(ValueError):
    """A table has a key that it never had, or a value of another kind; `hint` tells what is known."""

    def __init__(self, keys: tuple[str, ...], problem: str, hint: str) -> None:
        super().__init__(problem)
        self.keys = keys
        self.problem = problem
        self.hint = hint


def found_keys(section: str, content: Any) -> Iterator[Found]:
    """The earlier keys in the entry `section` of a file; those without a value are left out. Raises WrongKeyError."""
    yield from _found((section,), content)


def _found(keys: tuple[str, ...], content: Any) -> Iterator[Found]:
    name = ".".join(keys)
    if known := _BY_KEY.get(name):
        if _kind(content) is not _kind(known.default) and content is not None and known.default is not None:
            problem = f"{content!r:.80} is not {_NAMES[_kind(known.default)]}: {name}"
            raise WrongKeyError(keys, problem, f"such as {known.default!r}")
        if content is not None:
            yield Found(known, content)
        return
    below = [key for key in _BY_KEY if key.startswith(f"{name}.")]
    if not below:
        raise WrongKeyError(keys, f"there is no key {name!r:.80}", nearest(name, list(_BY_KEY)))
    if content is None:
        return
    if not isinstance(content, Mapping):
        problem = f"{content!r:.80} is not a table: {name}"
        next_keys = dict.fromkeys(key.removeprefix(f"{name}.").partition(".")[0] for key in below)
        raise WrongKeyError(keys, problem, f"it has the keys {', '.join(next_keys)}")
    for key, value in content.items():
        yield from _found((*keys, key), value)


def _kind(value: Any) -> type:
    """The kind of a value; numbers are of one kind, and so are texts and numbers that stand for a name."""
    if isinstance(value, bool):
        return bool
    if isinstance(value, int | float | str):
        return str
    return dict if isinstance(value, Mapping) else type(value)


_NAMES = {bool: "true or false", str: "a text or a number", list: "a list", dict: "a table"}


def nearest(name: str, known: list[str]) -> str:
    """A hint that names the key nearest to `name`, or the known ones if none is near."""
    import difflib  # 'virnucpro --help' starts without it

    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
