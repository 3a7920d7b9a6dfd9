from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_tasks.paths import checked_job_id, new_job_id
from virnucpro_tasks.queue.arguments import LARGEST_SHARD, ArgumentsError, check_arguments

JOB = new_job_id()
FINISH, EMBED = "virnucpro.finish_job", "virnucpro.embed_shard"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(JOB),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def test_what_the_package_sends_is_taken() -> None:
    check_arguments(FINISH, [JOB], {})
    check_arguments(EMBED, (JOB, 0), {})
    check_arguments(EMBED, (JOB, LARGEST_SHARD), {})


@pytest.mark.parametrize(
    ("task", "arguments", "options"),
    [
        (FINISH, [], {}),
        (FINISH, [JOB, 0], {}),
        (FINISH, [], {"job_id": JOB}),
        (FINISH, ["../../etc"], {}),
        (FINISH, [JOB + "\n"], {}),
        (FINISH, [[JOB]], {}),
        (EMBED, [JOB], {}),
        (EMBED, [JOB, -1], {}),
        (EMBED, [JOB, LARGEST_SHARD + 1], {}),
        (EMBED, [JOB, True], {}),
        (EMBED, [JOB, 0.0], {}),
        (EMBED, [JOB, "0"], {}),
        (EMBED, [JOB, 0], {"settings": {"store": "/"}}),
    ],
)
def test_anything_else_is_refused(task: str, arguments: list[Any], options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentsError, match=task):
        check_arguments(task, arguments, options)


@given(
    st.sampled_from([FINISH, EMBED]), st.lists(ANYTHING, max_size=3), st.dictionaries(st.text(), ANYTHING, max_size=1)
)
def test_whatever_is_taken_is_a_job_id_and_a_number(task: str, arguments: list[Any], options: dict[str, Any]) -> None:
    try:
        check_arguments(task, arguments, options)
    except ArgumentsError:
        return
    assert not options
    assert checked_job_id(arguments[0]) == arguments[0]
    assert task == FINISH or 0 <= arguments[1] <= LARGEST_SHARD
