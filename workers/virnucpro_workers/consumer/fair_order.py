"""Whose turn it is: the order in which a worker looks into the queues of jobs."""

from __future__ import annotations

from collections.abc import Iterable

from virnucpro_tasks.keys import owner_of, priority_of


class FairQueueOrder:
    """Round robin over owners, and over the jobs of one owner: who was served longest ago comes first.

    Of one owner's jobs those of a higher priority come first, always. Between owners priorities mean nothing: they
    would let one starve another.

    kombu's `queue_order_strategy`: it asks `consume` for the order before each look into Redis and tells `rotate`
    which queue it took a message from. kombu's own round robin begins anew whenever a queue comes or goes; this one
    remembers, and a queue that was never served comes before its owner's others.
    """

    def __init__(self, queues: Iterable[str] = ()) -> None:
        self._owners: dict[str, str] = {}
        self._turn = 0
        self._served: dict[str, int] = {}
        self._owner_served: dict[str, int] = {}
        self.update(queues)

    def update(self, queues: Iterable[str]) -> None:
        """The queues there are now; what is known of others is forgotten."""
        self._owners = {queue: owner_of(queue) for queue in queues}
        self._served = {queue: self._served.get(queue, 0) for queue in self._owners}
        self._owner_served = {owner: self._owner_served.get(owner, 0) for owner in self._owners.values()}

    def consume(self, count: int) -> list[str]:
        """The first `count` queues in the order in which they are to be served."""

        def order(queue: str) -> tuple[int, int, int]:
            return self._owner_served[self._owners[queue]], priority_of(queue), self._served[queue]

        return sorted(self._owners, key=order)[:count]

    def rotate(self, queue: str) -> str:
        """Note that `queue` was served."""
        if queue in self._owners:
            self._turn += 1
            self._served[queue] = self._owner_served[self._owners[queue]] = self._turn
        return queue
