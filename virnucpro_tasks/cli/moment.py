"""A moment in the past as the value of an option: a time ago, or a date with or without time."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import click

from virnucpro_tasks.cli.options import DurationType


class MomentType(click.ParamType):
    """A moment as seconds since 1970, given as `2h` (ago) or as `2026-05-31` or `2026-05-31 14:00`, in local time
    unless it has a time zone.
    """

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip()
        if "-" not in text:
            return time.time() - DurationType().convert(text, param, ctx)
        try:
            moment = datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError, OSError):
            moment = -1.0
        if not 0 <= moment <= time.time():
            self.fail(f"{text!r} is no moment of the past: write 30m, 2h, 1d, 2026-05-31, 2026-05-31T14:00", param, ctx)
        return moment
