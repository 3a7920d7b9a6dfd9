"""A moment in the past as the value of an option: a time ago, or a date with or without time."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, NoReturn

import click

from virnucpro_tasks.cli.options import DurationType


class MomentType(click.ParamType):
    """A moment as seconds since 1970, given as `2h` or seconds (ago), or as `2026-05-31` or `2026-05-31 14:00`, in
    local time unless it has a time zone.
    """

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip()
        if "-" not in text:
            try:
                return time.time() - DurationType().convert(text, param, ctx)
            except click.BadParameter:
                self._refuse(text, param, ctx)
        try:
            moment = datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError, OSError):
            moment = -1.0
        if not 0 <= moment <= time.time():
            self._refuse(text, param, ctx)
        return moment

    def _refuse(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> NoReturn:
        day = f"{datetime.now():%Y-%m-%d}"
        ways = f"seconds, 30m, 2h or 1d (ago), or a date as {day}, {day}T14:00 or {day}T14:00+00:00"
        self.fail(f"{text!r} is no moment of the past: write {ways}", param, ctx)
