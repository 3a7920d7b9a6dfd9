"""Writes a settings file anew, with the keys of earlier versions turned into ours."""

from __future__ import annotations

from collections.abc import Iterator

from virnucpro_tasks.earlier_keys import Found
from virnucpro_tasks.errors import printable
from virnucpro_tasks.settings_file import EARLIER_COMMAND, SettingsFile
from virnucpro_tasks.yaml_text import yaml_lines, yaml_value


def settings_text(file: SettingsFile) -> str:
    """The content of `file` as YAML without earlier keys: those with no effect become comments that say why."""
    return "\n".join(_lines(file)) + "\n"


def _lines(file: SettingsFile) -> Iterator[str]:
    yield f"# Made by 'virnucpro config convert' from {printable(file.path.name)}."
    was = {(found.key.setting or f"{EARLIER_COMMAND}.{found.key.option}"): found for found in file.earlier}
    for name, value in file.settings.items():
        yield f"{yaml_value(name)}: {yaml_value(value)}" + _note(was.get(name))
    for command, table in file.options.items():
        if not isinstance(table, dict) or not table:
            yield f"{yaml_value(command)}: {{}}"
            continue
        yield f"{yaml_value(command)}:"
        for name, value in table.items():
            first, *more = yaml_lines({name: value}, depth=1)
            yield first + _note(was.get(f"{command}.{name}"))
            yield from more
    idle = [found for found in file.earlier if not found.has_effect]
    if idle:
        yield ""
        yield "# Without effect any more:"
    for found in idle:
        yield f"# {found.key.key}: {yaml_value(found.value)}"
        yield f"#     {found.key.reason}"


def _note(found: Found | None) -> str:
    return "" if found is None else f"  # was {found.key.key}"
