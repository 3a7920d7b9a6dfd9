"""The environment variables of earlier versions of VirNucPro: what each of them does now. None is an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class EarlierVariable:
    """The meaning of a variable now: it gives `setting` the `value`, or has none, for the reason that `now` says."""

    now: str
    setting: str = ""
    value: str = ""


EARLIER_VARIABLES = MappingProxyType(
    {
        "VIRNUCPRO_DISABLE_FP16": EarlierVariable("as --precision fp32", "precision", "fp32"),
        "VIRNUCPRO_V1_ATTENTION": EarlierVariable("as --attention sdpa", "attention", "sdpa"),
        "VIRNUCPRO_DISABLE_PACKING": EarlierVariable(
            "no effect: sequences of one pack cannot see each other, so packing changes no result"
        ),
        "VIRNUCPRO_VIRAL_CHECKPOINT_MODE": EarlierVariable("no effect: each finished shard is kept"),
    }
)
"""They are set where their value is 1, true, yes or on."""


def earlier_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings that variables of earlier versions stand for; every other source of a setting counts more."""
    return {
        variable.setting: variable.value
        for name, variable in EARLIER_VARIABLES.items()
        if variable.setting and environment.get(name, "").strip().lower() in _TRUE
    }


def earlier_warnings(environment: Mapping[str, str]) -> Iterator[str]:
    """One line for each variable of earlier versions that is set to anything but 'no'."""
    for name, variable in EARLIER_VARIABLES.items():
        text = environment.get(name, "").strip().lower()
        if text in _TRUE:
            yield f"{name} of earlier versions is set: {variable.now}"
        elif text not in _FALSE:
            yield f"{name} of earlier versions is ignored: {text!r:.40} is neither true nor false"
