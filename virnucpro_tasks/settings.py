"""All settings. Precedence: defaults < settings file < VIRNUCPRO_* environment variables < flags."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints
from urllib.parse import parse_qs, urlsplit, urlunsplit

import yaml

from virnucpro_tasks.errors import SettingsError

ENVIRONMENT_PREFIX = "VIRNUCPRO_"
CONFIG_VARIABLE = "VIRNUCPRO_CONFIG"
TRACEBACK_VARIABLE = "VIRNUCPRO_TRACEBACK"
"""If set, an unexpected error of a command is shown with its traceback."""

_NO_SETTINGS = frozenset({CONFIG_VARIABLE, TRACEBACK_VARIABLE})
MOST_FINISHING_PROCESSES = 64
"""Limit of the default of `finishing_processes`. Each process takes up to 300 MB, and one process writes for all."""

ATTENTION_BACKENDS = ("auto", "triton", "flash-attn", "torch", "sdpa")
PRECISIONS = ("fp32", "fp16", "bf16", "fp8", "fp8-ff")
DIALECTS = ("original", "broad")
REDIS_CHECKS = ("refuse", "warn")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process, checked at construction. Raises SettingsError."""

    store: Path = _setting(Path("virnucpro-store"), "folder of all jobs; shared by client and workers")
    broker_url: str = _setting("redis://127.0.0.1:6379/0", "Redis, as Celery writes it; holds queues and results")
    bundle: str | None = _setting(None, "folder of the model bundle, or 'demo' for the shipped demonstration")
    precision: str | None = _setting(None, "fp32, fp16, bf16, fp8 or fp8-ff; the bundle's own if not given")
    attention: str = _setting("auto", "attention backend: auto, triton, flash-attn, torch or sdpa")
    token_budget: int | None = _setting(None, "tokens in one pack; if not given 16,384 on a CPU, measured on a GPU")
    cpu_threads: int = _setting(1, "threads of a CPU worker; fixed, so that scores do not depend on the machine")
    finishing_processes: int | None = _setting(
        None, f"processes that finish a big job; if not given the cores, {MOST_FINISHING_PROCESSES} at most"
    )
    shard_tokens: int = _setting(262_144, "ESM-2 tokens in one shard; grows by itself for giant inputs")
    max_attempts: int = _setting(3, "times a shard is tried before it is quarantined")
    lease_seconds: float = _setting(10.0, "a shard whose worker gives no sign of life for so long goes to another one")
    watch_seconds: float = _setting(10.0, "time between two searches for jobs that Redis has lost; 0: none")
    soft_shutdown_seconds: float = _setting(30.0, "time a stopping worker has for its shard before it is requeued")
    shard_time_limit_seconds: float = _setting(3_600.0, "a shard that takes longer is stopped and tried again")
    split_time_limit_seconds: float = _setting(172_800.0, "time limit of splitting, and of finishing")
    redis_check: str = _setting("refuse", "reaction to a Redis that evicts keys or saves nothing: refuse or warn")
    owner: str | None = _setting(None, "user in whose name jobs are submitted; the login name if not given")
    dialect: str = _setting("original", "format of the two legacy result files: original or broad")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR")

    def __post_init__(self) -> None:
        _one_of("attention", self.attention, ATTENTION_BACKENDS)
        _one_of("redis_check", self.redis_check, REDIS_CHECKS)
        _one_of("dialect", self.dialect, DIALECTS)
        _one_of("log_level", self.log_level, LOG_LEVELS)
        if self.precision is not None:
            _one_of("precision", self.precision, PRECISIONS)
        for name in ("token_budget", "cpu_threads", "finishing_processes", "shard_tokens", "max_attempts"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("lease_seconds", "shard_time_limit_seconds", "split_time_limit_seconds"):
            if getattr(self, name) <= 0:
                raise SettingsError(f"{name} must be more than 0, not {getattr(self, name)}")
        for name in ("soft_shutdown_seconds", "watch_seconds"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} must not be negative")
        url = urlsplit(self.broker_url)
        if url.scheme == "rediss" and "ssl_cert_reqs" not in parse_qs(url.query):
            raise SettingsError(
                f"broker_url {masked_url(self.broker_url)!r} does not say how to check the server's certificate",
                hint="append ?ssl_cert_reqs=required",
            )
        if url.scheme not in ("redis", "rediss", "redis+socket"):
            raise SettingsError(
                f"broker_url must be redis://, rediss:// or redis+socket://, not {masked_url(self.broker_url)!r}"
            )

    def masked(self) -> dict[str, Any]:
        """All settings as plain values, passwords hidden."""
        values = asdict(self) | {"store": str(self.store)}
        values["broker_url"] = masked_url(self.broker_url)
        return values

    def environment(self) -> dict[str, str]:
        """The settings as VIRNUCPRO_* variables, for child processes."""
        values = asdict(self) | {"store": str(self.store.resolve())}
        return {ENVIRONMENT_PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None}


def load_settings(
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Merge the settings of all sources; a flag that is None was not given.

    `file` is TOML or YAML (by suffix), by default the one that VIRNUCPRO_CONFIG names, if any.
    Raises SettingsError naming the source of an unknown or bad value.
    """
    environment = os.environ if environment is None else environment
    if file is None and environment.get(CONFIG_VARIABLE):
        file = Path(environment[CONFIG_VARIABLE])
    values: dict[str, Any] = {}
    if file is not None:
        for name, value in _read_file(file).items():
            values[name] = _converted(name, value, source=str(file))
    for variable, text in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in _NO_SETTINGS:
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            values[name] = _converted(name, text, source=f"environment variable {variable}")
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = _converted(name, value, source=f"--{name.replace('_', '-')}")
    return Settings(**values)


def masked_url(url: str) -> str:
    """`url` with its password replaced by stars."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))


def _read_file(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text) if file.suffix == ".toml" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"settings file {file} cannot be read: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"settings file {file} is not a table of names and values")
    return content


def _converted(name: str, value: Any, *, source: str) -> Any:
    import msgspec  # 'virnucpro --help' converts nothing, and starts without it

    hints = get_type_hints(Settings)
    if name not in hints:
        known = ", ".join(sorted(setting.name for setting in fields(Settings)))
        raise SettingsError(f"{source}: there is no setting {name!r}", hint=f"known: {known}")
    kind = next((part for part in get_args(hints[name]) if part is not NoneType), hints[name])
    if isinstance(value, bool):
        raise SettingsError(f"{source}: {name} cannot be {value}")
    if kind is str and isinstance(value, int | float):
        value = str(value)  # YAML reads an owner or a folder of digits as a number
    if kind in (int, float) and isinstance(value, str):
        value = value.strip()
    try:
        return msgspec.convert(value, kind, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError:
        raise SettingsError(f"{source}: {value!r} is not a valid {kind.__name__} for {name}") from None


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingsError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
