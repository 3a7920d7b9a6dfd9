"""The deployment that checks ask: settings, Redis and workers, each asked once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from virnucpro_tasks.errors import BrokerError, VirnucproError
from virnucpro_tasks.queue.app import VirnucproApp
from virnucpro_tasks.queue.client import WorkerInfo, workers
from virnucpro_tasks.queue.process_facts import ProcessFacts, process_facts
from virnucpro_tasks.queue.redis_checks import check_reachable
from virnucpro_tasks.queue.redis_memory import read_info
from virnucpro_tasks.settings import Settings


class Deployment:
    """The settings of a deployment, and what Redis and its workers answer."""

    def __init__(self, settings: Settings, make_app: Callable[[Settings], VirnucproApp]) -> None:
        self.settings = settings
        self._make_app = make_app

    @cached_property
    def app(self) -> VirnucproApp:
        return self._make_app(self.settings)

    @cached_property
    def redis_error(self) -> BrokerError | None:
        """The reason why Redis cannot be reached, None if it answers."""
        try:
            check_reachable(self.app)
        except BrokerError as error:
            return error
        return None

    @cached_property
    def redis_info(self) -> dict[str, Any]:
        """Redis's answer to INFO. Raises BrokerError."""
        return read_info(self.app)

    @cached_property
    def answers(self) -> tuple[list[WorkerInfo], dict[str, ProcessFacts]]:
        """The workers that answer, and what each of them tells of its process, by name. Raises BrokerError."""
        with ThreadPoolExecutor(2) as executor:
            # At once: each question waits for all of its time.
            asked, told = executor.submit(workers, self.app), executor.submit(process_facts, self.app)
            return asked.result(), told.result()

    @cached_property
    def silence(self) -> str:
        """The reason why workers cannot be asked, empty if they can; a full Redis passes no question on."""
        if self.redis_error is not None:
            return "not asked, since Redis cannot be reached"
        try:
            self.answers  # noqa: B018
        except VirnucproError as error:
            return f"not asked: {error.what}"
        return ""

    @property
    def told(self) -> dict[str, ProcessFacts]:
        """The facts of the workers that could be asked."""
        return {} if self.silence else self.answers[1]
