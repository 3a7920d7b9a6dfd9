"""Reads a settings file, TOML or YAML: settings by their names, and a table of options for each command.

    bundle: bundles/virnucpro-500       a setting
    predict:                            options of 'virnucpro predict', by their long names
      expected_length: 500

The keys that the package `virnucpro` had are read as well (`earlier_keys`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from virnucpro_tasks.earlier_keys import SECTIONS, Found, WrongKeyError, found_keys, nearest
from virnucpro_tasks.errors import SettingsError, counted

MOST_FILE_BYTES = 1 << 16
EARLIER_COMMAND = "predict"
"""The command whose options the earlier keys set: the earlier package had no other with such keys."""


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The content of a settings file.

    `lines` has the line of each entry by the keys that lead to it; a TOML file has none. `earlier` are
    the keys of earlier versions; what they set is in `settings` and `options` too.
    """

    path: Path
    settings: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    earlier: tuple[Found, ...] = ()
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)

    def where(self, *keys: str) -> str:
        """The file, and the line of an entry if it is known."""
        line = self.lines.get(keys)
        return str(self.path) if line is None else f"{self.path}, line {line}"

    @property
    def warnings(self) -> list[str]:
        """Sentences on the keys that have no effect any more: one on each without which results are others, and one on
        all the rest.
        """
        return [
            f"{self.where(*found.key.key.split('.'))}: {found.key.key} is {found.value!r:.80}, which has no effect any "
            f"more: {found.key.reason}"
            for found in self.earlier
            if found.is_missed and not found.has_effect
        ] + self._idle()

    @property
    def left_to_predict(self) -> list[str]:
        """Sentences on the keys without which results are others, and which 'predict' alone has an option for."""
        return [
            f"{self.where(*found.key.key.split('.'))}: {found.key.key} is {found.value!r:.80}, which 'virnucpro "
            f"{EARLIER_COMMAND}' alone takes: {found.key.reason}"
            for found in self.earlier
            if found.is_missed and found.has_effect
        ]

    def _idle(self) -> list[str]:
        idle = [found.key.key for found in self.earlier if not (found.has_effect or found.is_missed)]
        if not idle:
            return []
        names = idle[0] if len(idle) == 1 else f"{idle[0]} and {counted(len(idle) - 1, 'other key')}"
        have = "has" if len(idle) == 1 else "have"
        return [f"{self.path}: {names} {have} no effect any more ('virnucpro config convert' says why)"]


def read_settings_file(path: Path, *, known: Collection[str]) -> SettingsFile:
    """Read a settings file; `known` are the names of the settings. Raises SettingsError naming file, line and key.

    The tables of commands are not looked into. Their names and options are known to the command line alone.
    """
    content, lines = _content(path)
    found = SettingsFile(path, lines=lines)
    earlier: list[Found] = []
    for name, value in content.items():
        if name in known:
            found.settings[name] = value
        elif name in SECTIONS:
            try:
                earlier += found_keys(name, value)
            except WrongKeyError as error:
                raise SettingsError(f"{found.where(*error.keys)}: {error.problem}", hint=error.hint) from None
        elif isinstance(value, dict):
            found.options[name] = value
        else:
            raise SettingsError(
                f"{found.where(name)}: there is no setting {name!r:.80}", hint=nearest(name, [*known, *SECTIONS])
            )
    for each in earlier:
        _translate(each, found)
    return SettingsFile(path, found.settings, found.options, tuple(earlier), lines)


def _translate(earlier: Found, found: SettingsFile) -> None:
    """Have an earlier key set what it is here. Raises SettingsError if that is set beside it."""
    key, place = earlier.key, found.where(*earlier.key.key.split("."))
    if not earlier.has_effect:
        return
    table = found.settings if key.setting else found.options.setdefault(EARLIER_COMMAND, {})
    name = key.setting or key.option
    if name in table:
        ours = name if key.setting else f"{EARLIER_COMMAND}.{name}"
        raise SettingsError(f"{place}: {key.key} is {ours} here, which the file sets too", hint="remove one of them")
    table[name] = earlier.translated
    if (line := found.lines.get(tuple(key.key.split(".")))) is not None:
        found.lines[(name,) if key.setting else (EARLIER_COMMAND, name)] = line


def _content(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    is_toml = path.suffix.lower() == ".toml"
    try:
        with path.open("rb") as handle:
            data = handle.read(MOST_FILE_BYTES + 1)
        if len(data) > MOST_FILE_BYTES:
            raise SettingsError(f"settings file {path} is larger than {MOST_FILE_BYTES >> 10} KiB")
        table, lines = _parsed(data.decode("utf-8-sig"), is_toml=is_toml)
    except OSError as error:
        raise SettingsError(f"settings file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"settings file {path} is not text in UTF-8", hint="save it in this encoding") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"settings file {path} cannot be read: {' '.join(str(error).split())}") from None
    if table is None:
        return {}, {}
    if not isinstance(table, dict):
        raise SettingsError(f"settings file {path} is not a table of names and values")
    return table, lines


def _parsed(text: str, *, is_toml: bool) -> tuple[Any, dict[tuple[str, ...], int]]:
    """The content of a settings file and the lines of its entries. Raises ValueError, or RecursionError."""
    # Imported here: most commands, and all workers, read no settings file.
    if is_toml:
        import tomllib

        return tomllib.loads(text), {}
    from virnucpro_tasks.yaml_text import parse_yaml

    return parse_yaml(text)
