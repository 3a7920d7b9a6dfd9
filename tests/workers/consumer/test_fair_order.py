from __future__ import annotations

from collections import Counter

from virnucpro_workers.consumer.fair_order import FairQueueOrder

from virnucpro_tasks.keys import job_queue, owner_of

DIGEST = "0123456789abcdef" * 4


def queue(owner: str, number: int = 0, *, priority: int = 6) -> str:
    return job_queue(DIGEST, "0123456789", owner, priority, f"20260101t00000{number}z-{'a' * 16}")


def served(order: FairQueueOrder, queues: list[str], times: int) -> list[str]:
    """The queues that are served if each always has messages."""
    taken = []
    for _ in range(times):
        first = order.consume(len(queues))[0]
        taken.append(order.rotate(first))
    return taken


def test_queues_are_served_in_turn() -> None:
    queues = [queue("a"), queue("b"), queue("c")]
    assert Counter(served(FairQueueOrder(queues), queues, 30)) == dict.fromkeys(queues, 10)


def test_owners_get_equal_shares_however_many_jobs_they_have() -> None:
    queues = [*(queue("a", number) for number in range(5)), queue("b"), queue("c")]
    taken = served(FairQueueOrder(queues), queues, 30)
    assert Counter(map(owner_of, taken)) == {"a": 10, "b": 10, "c": 10}
    assert Counter(name for name in taken if owner_of(name) == "a") == dict.fromkeys(queues[:5], 2)


def test_priorities_order_the_jobs_of_one_owner_and_starve_nobody_else() -> None:
    first, second, last = (queue("a", number, priority=number * 4) for number in range(3))
    other = queue("b", priority=9)
    queues = [last, second, other, first]
    taken = served(FairQueueOrder(queues), queues, 20)
    assert Counter(taken) == {first: 10, other: 10}
    queues.remove(first)
    assert Counter(served(FairQueueOrder(queues), queues, 20)) == {second: 10, other: 10}


def test_queues_that_are_added_and_removed_do_not_start_the_round_anew() -> None:
    old = [queue("a"), queue("b"), queue("c")]
    order = FairQueueOrder(old)
    taken = []
    for number in range(12):
        # An unrelated queue appears before each poll, as when one user submits all the time.
        order.update([*old, queue("z", number % 10)])
        order.rotate(queue("z", number % 10))
        order.update(old)
        taken += served(order, old, 1)
    assert Counter(taken) == dict.fromkeys(old, 4)


def test_a_new_job_comes_before_its_owners_others() -> None:
    old = [queue("a", 0), queue("a", 1)]
    order = FairQueueOrder(old)
    served(order, old, 4)
    order.update([*old, queue("a", 2)])
    assert order.consume(1) == [queue("a", 2)]


def test_a_queue_may_be_removed_before_its_message_arrives() -> None:
    order = FairQueueOrder([queue("a")])
    assert order.rotate(queue("b")) == queue("b")
    assert order.consume(5) == [queue("a")]


def test_odd_owners_make_names_of_four_parts() -> None:
    for owner in ("", "Dr. Who", "ü\x06\x16", "x" * 200, "a.b"):
        assert queue(owner).count(".") == 3
        assert queue(owner).isascii() and queue(owner).isprintable()


def test_queues_that_belong_to_no_job_are_served_in_turn_too() -> None:
    replies = "6f1c9d3e-3c55-3b4b-8d3e-0b3c8a3f0c11.reply.celery.pidbox"
    others = [replies, "embed-gpu0@host.of.a.lab.celery.pidbox", "gpu-0123456789ab", "cpu"]
    queues = [*others, queue("a")]
    assert [owner_of(name) for name in queues] == [*others, "a"]
    assert Counter(served(FairQueueOrder(queues), queues, 10)) == dict.fromkeys(queues, 2)
