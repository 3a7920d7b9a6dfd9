"""All settings. Precedence: defaults < settings file < VIRNUCPRO_* environment variables < flags."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from virnucpro_tasks.broker_url import check_broker_url, masked_url
from virnucpro_tasks.earlier_keys import nearest
from virnucpro_tasks.earlier_variables import EARLIER_VARIABLES, earlier_settings
from virnucpro_tasks.errors import SettingsError
from virnucpro_tasks.settings_file import SettingsFile, read_settings_file

ENVIRONMENT_PREFIX = "VIRNUCPRO_"
CONFIG_VARIABLE = "VIRNUCPRO_CONFIG"
TRACEBACK_VARIABLE = "VIRNUCPRO_TRACEBACK"
"""If set, an unexpected error of a command is shown with its traceback."""

_NO_SETTINGS = frozenset({CONFIG_VARIABLE, TRACEBACK_VARIABLE})
_SERVICE_VARIABLE = re.compile(
    rf"{ENVIRONMENT_PREFIX}(\w+_)?("
    r"SERVICE_HOST=.*|SERVICE_PORT(_\w+)?=.*|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=.*"
    r"|PORT=(tcp|udp|sctp)://.*|NAME=/.+/.+)"
)
"""Variables that Kubernetes, and Docker for linked containers, set for a service named virnucpro or virnucpro-*."""

MOST = 1_000_000_000
"""Limit of numbers of tokens and of seconds (30 years); no job needs more."""

MOST_CORES = 4_096
MOST_FINISHING_PROCESSES = 64
"""Limit of the default of `finishing_processes`. Each process takes up to 300 MB, and one process writes for all."""

ATTENTION_BACKENDS = ("auto", "triton", "flash-attn", "torch", "sdpa")
PRECISIONS = ("fp32", "fp16", "bf16", "fp8", "fp8-ff")
DIALECTS = ("original", "broad")
REDIS_CHECKS = ("refuse", "warn")
RETENTION_KEEPS = ("nothing", "results")
RESUME, REPEAT = "resume", "repeat"
"""How a job that a full disk has stopped goes on: by 'virnucpro resume', or by the same command given again."""

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LOG_FORMATS = ("text", "json")

_KINDS = {str: "a text", Path: "a path", int: "a whole number", float: "a number"}
_PATHS = ("store", "bundle", "bundle_300", "bundle_500", "downloads")
MOST_OWNER_CHARACTERS = 64
"""Owners are in tables for people and in the labels of metrics."""

_AS_WRITTEN = (*_PATHS, "owner")
"""Settings whose values may begin or end with a space."""


def _setting(default: Any, meaning: str, **limits: Any) -> Any:
    return field(default=default, metadata={"help": meaning, **limits})


def _count(default: int | None, meaning: str, *, most: int = MOST) -> Any:
    return _setting(default, meaning, least=1, most=most, above=False)


def _seconds(default: float, meaning: str, *, above: bool = True) -> Any:
    """A time; with `above` it cannot be 0."""
    return _setting(default, meaning, least=0, most=MOST, above=above)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process, checked at construction. Raises SettingsError."""

    store: Path = _setting(Path("virnucpro-store"), "folder of all jobs; shared by client and workers")
    broker_url: str = _setting("redis://127.0.0.1:6379/0", "Redis, as Celery writes it; holds queues and results")
    bundle: str | None = _setting(None, "folder of the model bundle, or 'demo' for the shipped demonstration")
    bundle_300: str | None = _setting(None, "the bundle of --model-type 300; if not given 'bundle', if that is one")
    bundle_500: str | None = _setting(None, "the bundle of --model-type 500; if not given 'bundle', if that is one")
    downloads: str | None = _setting(
        None, "folder of what 'models pull' fetches; if not given virnucpro/downloads in XDG_CACHE_HOME"
    )
    precision: str | None = _setting(
        None, "fp32, fp16, bf16, fp8 or fp8-ff; if not given the bundle's own, and fp32 in 'predict' on CPUs"
    )
    attention: str = _setting("auto", "attention backend: auto, triton, flash-attn, torch or sdpa")
    token_budget: int | None = _count(None, "tokens in one pack; if not given 16,384 on a CPU, measured on a GPU")
    cpu_threads: int = _count(
        1, "threads of a CPU worker; fixed, so that scores do not depend on the machine", most=MOST_CORES
    )
    threads: int | None = _count(
        None,
        "cores of this host that all threads and processes of a command use; if not given all that it may use",
        most=MOST_CORES,
    )
    finishing_processes: int | None = _count(
        None,
        f"processes that finish a big job; if not given the cores, {MOST_FINISHING_PROCESSES} at most",
        most=MOST_CORES,
    )
    shard_tokens: int = _count(262_144, "ESM-2 tokens in one shard; grows by itself for giant inputs")
    max_attempts: int = _count(3, "times a shard is tried before it is quarantined")
    lease_seconds: float = _seconds(10.0, "a shard whose worker gives no sign of life for so long goes to another one")
    watch_seconds: float = _seconds(
        10.0, "time between two searches for jobs that Redis has lost; 0: none", above=False
    )
    retention_days: float | None = _setting(
        None,
        "days after which a coordinator removes jobs that have ended; if not given none",
        least=0,
        most=MOST,
        above=True,
    )
    retention_keep: str = _setting(
        "nothing", "what stays of finished jobs of that age: nothing, or results, without what they were made from"
    )
    soft_shutdown_seconds: float = _seconds(
        30.0, "time a stopping worker has for its shard before it is requeued", above=False
    )
    shard_time_limit_seconds: float = _seconds(3_600.0, "a shard that takes longer is stopped and tried again")
    progress_limit_seconds: float = _seconds(
        600.0, "a computing process that makes no progress for so long is ended, and its task starts again"
    )
    split_time_limit_seconds: float = _seconds(172_800.0, "time limit of splitting, and of finishing")
    store_failure_seconds: float = _seconds(
        600.0, "a job to which the store has failed for so long, without a success of any worker, has failed"
    )
    redis_check: str = _setting("refuse", "reaction to a Redis that evicts keys or saves nothing: refuse or warn")
    resumed_by: str = _setting(
        RESUME,
        "what continues a job that a full disk has stopped: resume, or repeat, as in 'predict', which waits less",
    )
    owner: str | None = _setting(None, "user in whose name jobs are submitted; the login name if not given")
    dialect: str = _setting("original", "format of the two legacy result files: original or broad")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR")
    log_format: str = _setting("text", "format of the log lines of workers and Flower: text or json")

    def __post_init__(self) -> None:
        _one_of("attention", self.attention, ATTENTION_BACKENDS)
        _one_of("redis_check", self.redis_check, REDIS_CHECKS)
        _one_of("retention_keep", self.retention_keep, RETENTION_KEEPS)
        _one_of("resumed_by", self.resumed_by, (RESUME, REPEAT))
        _one_of("dialect", self.dialect, DIALECTS)
        _one_of("log_level", self.log_level, LOG_LEVELS)
        _one_of("log_format", self.log_format, LOG_FORMATS)
        if self.owner is not None and len(self.owner) > MOST_OWNER_CHARACTERS:
            raise SettingsError(
                f"owner must have at most {MOST_OWNER_CHARACTERS} characters, not {len(self.owner):,}", setting="owner"
            )
        if self.precision is not None:
            _one_of("precision", self.precision, PRECISIONS)
        for setting in fields(self):
            if "most" in setting.metadata and getattr(self, setting.name) is not None:
                _check_number(setting.name, getattr(self, setting.name), **setting.metadata)
        if self.threads is not None and self.cpu_threads > self.threads:
            raise SettingsError(
                f"cpu_threads is {self.cpu_threads}, more than threads, which is {self.threads}",
                hint="threads is the sum over all processes",
                setting="cpu_threads",
            )
        try:
            check_broker_url(self.broker_url)
        except SettingsError as error:
            error.setting = "broker_url"
            raise

    def masked(self) -> dict[str, Any]:
        """All settings as plain values, passwords hidden."""
        values = asdict(self) | {"store": str(self.store)}
        values["broker_url"] = masked_url(self.broker_url)
        return values

    def environment(self) -> dict[str, str]:
        """The settings as VIRNUCPRO_* variables, for child processes."""
        values = asdict(self) | {"store": str(self.store.resolve())}
        return {ENVIRONMENT_PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None}


@cache
def setting_types() -> dict[str, Any]:
    """The type of each setting by its name; reading the annotations takes a millisecond."""
    return get_type_hints(Settings)


def load_settings(
    *,
    file: Path | SettingsFile | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Merge the settings of all sources; a flag that is None was not given.

    `file` is TOML or YAML (by suffix) or read already, by default the one that VIRNUCPRO_CONFIG names, if any. An empty
    variable counts as not set, those of `service_variables` are ignored, and what variables of earlier versions stand
    for counts least. Raises SettingsError naming the source of an unknown or bad value.
    """
    environment = os.environ if environment is None else environment
    if file is None:
        file = named_file(environment)
    values: dict[str, Any] = dict(earlier_settings(environment))
    sources: dict[str, str] = {}

    def take(name: str, value: Any, source: str) -> None:
        values[name] = _converted(name, value, source=source)
        sources[name] = source

    if file is not None:
        read = settings_file(file) if isinstance(file, Path) else file
        for name, value in read.settings.items():
            take(name, value, read.where(name))
    ignored = {*_NO_SETTINGS, *EARLIER_VARIABLES, *service_variables(environment)}
    for variable, text in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in ignored and text.strip():
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            take(name, text, f"environment variable {variable}")
    for name, value in (flags or {}).items():
        if value is not None:
            take(name, value, f"--{name.replace('_', '-')}")
    try:
        return Settings(**values)
    except SettingsError as error:
        error.source = error.source or sources.get(error.setting, "")
        raise


def service_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the VIRNUCPRO_* variables that Kubernetes or Docker sets for a service named virnucpro; no settings."""
    return [name for name, value in environment.items() if _SERVICE_VARIABLE.fullmatch(f"{name}={value}")]


def named_file(environment: Mapping[str, str]) -> Path | None:
    """The settings file that VIRNUCPRO_CONFIG names, if any. Raises SettingsError for a missing home folder."""
    name = environment.get(CONFIG_VARIABLE)
    try:
        return Path(_with_home(name)) if name else None
    except ValueError as error:
        raise SettingsError(f"environment variable {CONFIG_VARIABLE}: {name!r:.80}: {error}") from None


def settings_file(path: Path) -> SettingsFile:
    """Read a settings file. Raises SettingsError naming file, line and key."""
    return read_settings_file(path, known=list(setting_types()))


def _converted(name: Any, value: Any, *, source: str) -> Any:
    import msgspec  # 'virnucpro --help' converts nothing, and starts without it

    hints = setting_types()
    if name not in hints:
        prefix = ENVIRONMENT_PREFIX if source.startswith("environment variable") else ""
        known = {prefix + (known.upper() if prefix else known) for known in hints}
        if prefix:
            known |= EARLIER_VARIABLES.keys()
        near = nearest(prefix + (str(name).upper() if prefix else str(name)), sorted(known))
        raise SettingsError(f"{source}: there is no setting {name!r}", hint=near)
    kind = next((part for part in get_args(hints[name]) if part is not NoneType), hints[name])
    if value is None:
        raise SettingsError(f"{source}: {name} has no value", hint="give one, or remove the line")
    if kind is str and isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)  # YAML reads an owner or a folder of digits as a number
    if isinstance(value, str) and name not in _AS_WRITTEN:
        value = value.strip()
    try:
        if isinstance(value, bool) or value == "" or "\0" in str(value):
            raise ValueError
        converted = msgspec.convert(value, kind, strict=False, dec_hook=lambda kind, value: kind(value))
        return _with_home(converted) if name in _PATHS else converted
    except ValueError:  # of msgspec too
        shown = masked_url(value) if name == "broker_url" and isinstance(value, str) else value
        raise SettingsError(f"{source}: {shown!r:.80} is not {_KINDS[kind]}: {name}") from None


def _with_home(path: str | Path) -> str | Path:
    """`path` with the home folder for a leading ~, which a shell replaces only in some places."""
    if not str(path).startswith("~"):
        return path
    try:
        expanded = Path(path).expanduser()
    except RuntimeError:
        raise ValueError("there is no such home folder") from None
    return expanded if isinstance(path, Path) else str(expanded)


def _check_number(name: str, value: float, *, least: float, most: float, above: bool, help: str) -> None:
    if (above and value == least) or not least <= value:
        raise SettingsError(f"{name} must be {'more than' if above else 'at least'} {least}, not {value}", setting=name)
    if not value <= most:  # NaN is neither
        raise SettingsError(f"{name} must be at most {most:,}, not {value:.6g}", setting=name)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingsError(f"{name} must be one of {', '.join(allowed)}, not {value!r}", setting=name)
