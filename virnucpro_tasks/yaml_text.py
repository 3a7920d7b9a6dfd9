"""Reads YAML as tables, lists, texts, numbers and truth values, and says in which line each entry is.

Nothing but these is made of a text: no tag names a class, no alias unfolds to more than a small file can say, no key
hides an earlier one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

Lines = dict[tuple[str, ...], int]
"""The line of each entry of a table, by the keys that lead to it; counted from 1."""

MOST_ENTRIES = 10_000
"""Entries of a file; an alias counts with all that it stands for."""

_STANDARD = "tag:yaml.org,2002:"
_MERGE = f"{_STANDARD}merge"
_TRUTH = yaml.SafeLoader.bool_values
_ODD_NUMBER = re.compile(r"[-+]?(0[0-9_]+|0[xb][0-9a-fA-F_]+|[0-9_]+(:[0-9_.]+)+)")
"""YAML reads 010 as 8, 0x10 as 16 and 1:30 as 90, which nobody means: here these are texts."""
_SHOWN = 40


class YamlError(ValueError):
    """A text is not YAML of this kind; the message begins with its line."""


def parse_yaml(text: str) -> tuple[Any, Lines]:
    """The content of a YAML text, None if it is empty, and the lines of its entries. Raises YamlError."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        return (None, {}) if node is None else _Reader().read(node)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(f"line {line}: the character U+{ord(text[error.position]):04X} is not allowed") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(f"line {mark.line + 1 if mark else 1}: {error.problem or error.context}") from None
    except RecursionError:
        raise YamlError("line 1: it is nested too deeply") from None


class _Reader:
    """Turns the nodes of one text into values."""

    def __init__(self) -> None:
        self._lines: Lines = {}
        self._entries = 0
        self._above: set[int] = set()

    def read(self, node: yaml.Node) -> tuple[Any, Lines]:
        return self._value(node, ()), self._lines

    def _value(self, node: yaml.Node, keys: tuple[str, ...]) -> Any:
        self._entries += 1
        if self._entries > MOST_ENTRIES:
            raise _error(node, f"it has more than {MOST_ENTRIES:,} entries")
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self._above:
            raise _error(node, "it holds itself, by an alias (*)")
        if node.tag not in (f"{_STANDARD}map", f"{_STANDARD}seq"):
            raise _error(node, f"the tag {_shown(node.tag)} is not read: write plain tables and lists")
        self._above.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._table(node, keys)
            return [self._value(child, ()) for child in node.value]
        finally:
            self._above.remove(id(node))

    def _table(self, node: yaml.MappingNode, keys: tuple[str, ...]) -> dict[str, Any]:
        merged = self._merged(node, keys)
        table: dict[str, Any] = {}
        for name_node, value in node.value:
            if name_node.tag == _MERGE:
                continue
            name = _key(name_node)
            line = name_node.start_mark.line + 1
            if name in table:
                raise _error(name_node, f"{name!r:.80} is there already, in line {self._lines[*keys, name]}")
            self._lines[*keys, name] = line
            table[name] = self._value(value, (*keys, name))
        return merged | table

    def _merged(self, node: yaml.MappingNode, keys: tuple[str, ...]) -> dict[str, Any]:
        """The entries of the tables that a table takes over by `<<`: of a key in several, that of the first."""
        found = [value for name_node, value in node.value if name_node.tag == _MERGE]
        if len(found) > 1:
            raise _error(found[1], "<< is there already: write a list of the tables")
        sources = [source for value in found for source in _sources(value)]
        entries: dict[str, Any] = {}
        for source in reversed(sources):
            entries |= self._value(source, keys)
        return entries


def _sources(node: yaml.Node) -> list[yaml.MappingNode]:
    """The tables that `<<` names: one, or a list of them."""
    listed = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for source in listed:
        if not isinstance(source, yaml.MappingNode):
            raise _error(source, "<< takes over tables, as *name or [*name, *other], and this is none")
    return list(listed)


def _key(node: yaml.Node) -> str:
    """A key as it is written: 300 is the text 300."""
    if not isinstance(node, yaml.ScalarNode):
        raise _error(node, "a key is a text, not a table or a list")
    return str(node.value)


def _scalar(node: yaml.ScalarNode) -> Any:
    kind, text = node.tag.removeprefix(_STANDARD), str(node.value)
    if kind in ("int", "float") and _ODD_NUMBER.fullmatch(text):
        kind = "str"
    try:
        match kind:
            case "str" | "timestamp" | "value":
                return text
            case "null":
                return None
            case "bool":
                return _TRUTH[text.lower()]
            case "int":
                return int(text.replace("_", ""))
            case "float":
                return _number(text)
    except (ValueError, LookupError):
        raise _error(node, f"{_shown(text)} is no {kind}") from None
    raise _error(node, f"the tag {_shown(node.tag)} is not read: write a text, a number, true or false")


def _number(text: str) -> float:
    plain = text.replace("_", "").lower()
    if plain.lstrip("+-") == ".inf":
        return -math.inf if plain.startswith("-") else math.inf
    return math.nan if plain == ".nan" else float(plain)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _error(node: yaml.Node, what: str) -> YamlError:
    return YamlError(f"line {node.start_mark.line + 1}: {what}")


def yaml_lines(table: dict[str, Any], *, depth: int = 0) -> Iterator[str]:
    """The lines of a table of texts, numbers, truth values, lists of these and tables, as `parse_yaml` reads them."""
    for name, value in table.items():
        indent = "  " * depth
        if isinstance(value, dict):
            yield f"{indent}{yaml_value(name)}:"
            yield from yaml_lines(value, depth=depth + 1)
        else:
            yield f"{indent}{yaml_value(name)}: {yaml_value(value)}"


def yaml_value(value: Any) -> str:
    """A text, number, truth value or list in one line of YAML."""
    texts = [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
    # A line end between single quotes would stay one.
    style = None if all(text.isprintable() for text in texts) else '"'
    written = yaml.safe_dump(value, default_flow_style=True, default_style=style, allow_unicode=True, width=math.inf)
    return written.removesuffix("\n").removesuffix("\n...")
