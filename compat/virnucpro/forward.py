"""Calling `virnucpro` with another command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import click

from virnucpro_tasks.cli.main import main

EMPTY: Mapping[str, Any] = MappingProxyType({})


def virnucpro(arguments: Sequence[str]) -> int:
    """Run `virnucpro` with `arguments` in this process; returns its exit code."""
    sys.argv = ["virnucpro", *arguments]
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


SWITCH = {"action": "store_true"}
"""The settings of an option without a value for argparse."""


def parsed(
    parser: argparse.ArgumentParser, arguments: Sequence[str], options: Mapping[str, Mapping[str, Any]] = EMPTY
) -> tuple[argparse.Namespace, list[str]]:
    """Parse `arguments` by `parser` and its `options`; returns those, and the words left for `virnucpro predict`.

    `options` are the arguments of `add_argument` by their flags. argparse itself would take the value of an option that
    it does not know for a file.
    """
    own = {"-h": False, "--help": False}
    for flag, attributes in options.items():
        parser.add_argument(flag, **attributes)
        own[flag] = "action" not in attributes
    others = _options_of_predict()
    known: list[str] = []
    passed: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            known += [word, *words]
        elif word == "-" or not word.startswith("-"):
            known.append(word)
        else:
            flag, equals, value = word.partition("=")
            if flag.startswith("--") and flag not in own and flag not in others:
                # As argparse and the earlier tools have it, the beginning of a name is enough.
                meant = [name for name in own if name.startswith(flag)]
                if len(meant) != 1:
                    parser.error(f"there is no option {flag}")
                flag, word = meant[0], meant[0] + equals + value
            place = known if flag in own else passed
            place.append(word)
            if not equals and own.get(flag, others.get(flag, False)):
                place += [given for given in [next(words, None)] if given is not None]
    return parser.parse_args(known), passed


def _options_of_predict() -> dict[str, bool]:
    """The options of `virnucpro predict`, and whether each takes a value."""
    from virnucpro_tasks.cli.predict import command

    return {
        flag: not (parameter.is_flag or parameter.count)
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
