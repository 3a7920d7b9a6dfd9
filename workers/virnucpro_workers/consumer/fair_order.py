"""The order in which a worker polls the queues of jobs."""

from __future__ import annotations

from collections.abc import Iterable

from virnucpro_tasks.keys import owner_of, priority_of


class FairQueueOrder:
    """Round robin over owners, and over the jobs of each owner: the one served longest ago comes first.

    Among the jobs of one owner a higher priority always comes first. Priorities are not compared between owners:
    otherwise one owner could starve another.

    This is a `queue_order_strategy` of kombu, which calls `consume` before each poll of Redis and `rotate` with the
    queue that gave a message. kombu's own round robin starts anew whenever a queue is added or removed; this one
    remembers, and a queue that was never served comes before its owner's others.
    """

    def __init__(self, queues: Iterable[str] = ()) -> None:
        self._owners: dict[str, str] = {}
        self._turn = 0
        self._served: dict[str, int] = {}
        self._owner_served: dict[str, int] = {}
        self.update(queues)

    def update(self, queues: Iterable[str]) -> None:
        """Replace the set of queues; the history of queues that remain is kept."""
        self._owners = {queue: owner_of(queue) for queue in queues}
        self._served = {queue: self._served.get(queue, 0) for queue in self._owners}
        self._owner_served = {owner: self._owner_served.get(owner, 0) for owner in self._owners.values()}

    def consume(self, count: int) -> list[str]:
        """Return the first `count` queues in the order in which they are to be served."""

        def order(queue: str) -> tuple[int, int, int]:
            return self._owner_served[self._owners[queue]], priority_of(queue), self._served[queue]

        return sorted(self._owners, key=order)[:count]

    def rotate(self, queue: str) -> str:
        """Record that `queue` was served."""
        if queue in self._owners:
            self._turn += 1
            self._served[queue] = self._owner_served[self._owners[queue]] = self._turn
        return queue
