"""Signs of life against a clock: what counts as progress, in which activity, and how long its absence is borne."""

from __future__ import annotations

from dataclasses import replace

import pytest
from virnucpro_workers.hang import STOPPED_SECONDS, Hang, HangDetector
from virnucpro_workers.sign_of_life import Activity, Life

from virnucpro_tasks.system.process_signs import ProcessSigns

LIMIT = 600.0
SLEEPING = ProcessSigns("S", 1, 10.0, 1_000)
STOPPED, IN_KERNEL = replace(SLEEPING, state="T"), replace(SLEEPING, state="D")
WORKING, COMPUTING, IDLE = (Life(7, activity, 3) for activity in (Activity.WORKING, Activity.COMPUTING, Activity.IDLE))


def found(life: Life, signs: ProcessSigns | None, *, packs_only: bool = False, seconds: int = 2_000) -> Hang | None:
    """The hang that is found within so many seconds of looks at the same signs."""
    detector = HangDetector(LIMIT, packs_only=packs_only)
    looks = (detector.look(life, signs, float(now)) for now in range(seconds))
    return next((hang for hang in looks if hang is not None), None)


@pytest.mark.parametrize("packs_only", [True, False])
@pytest.mark.parametrize("life", [WORKING, COMPUTING])
def test_a_process_that_does_nothing_hangs(life: Life, packs_only: bool) -> None:
    assert found(life, SLEEPING, packs_only=packs_only) == Hang(7, LIMIT, "S")
    assert found(life, SLEEPING, packs_only=packs_only, seconds=int(LIMIT)) is None


@pytest.mark.parametrize("life", [WORKING, COMPUTING, IDLE])
def test_a_stopped_process_is_given_a_minute(life: Life) -> None:
    assert found(life, STOPPED) == Hang(7, STOPPED_SECONDS, "T")
    assert found(life, STOPPED, seconds=60) is None


@pytest.mark.parametrize("life", [WORKING, COMPUTING, IDLE])
def test_one_that_waits_for_a_file_system_hangs_at_the_limit(life: Life) -> None:
    hang = found(life, IN_KERNEL)
    assert hang is not None and hang.is_in_kernel and hang.limit_seconds == LIMIT


@pytest.mark.parametrize(
    ("life", "signs"),
    [
        (IDLE, SLEEPING),
        (Life(7, Activity.LOADING, 0), STOPPED),
        (WORKING, None),
        (WORKING, replace(SLEEPING, state="Z")),
    ],
)
def test_one_that_waits_for_redis_loads_or_has_ended_does_not_hang(life: Life, signs: ProcessSigns | None) -> None:
    assert found(life, signs) is None


@pytest.mark.parametrize(
    ("life", "packs_only", "hangs"),
    [(WORKING, True, False), (COMPUTING, True, True), (COMPUTING, False, False)],
)
@pytest.mark.parametrize("used", [{"processor_seconds": 0.9}, {"transfers": 1}])
def test_a_processor_or_files_in_use_are_progress_unless_a_gpu_computes(
    life: Life, packs_only: bool, hangs: bool, used: dict[str, float]
) -> None:
    detector = HangDetector(LIMIT, packs_only=packs_only)
    hung = False
    for now in range(1_300):
        busy = replace(SLEEPING, **{name: getattr(SLEEPING, name) + now * step for name, step in used.items()})
        hung = detector.look(life, busy, float(now)) is not None or hung
    assert hung == hangs


def test_threads_that_only_wait_are_no_progress() -> None:
    detector = HangDetector(LIMIT, packs_only=False)
    ticks = [replace(SLEEPING, processor_seconds=10 + 0.01 * (now // 20)) for now in range(700)]
    assert any(detector.look(COMPUTING, signs, float(now)) for now, signs in enumerate(ticks))


def test_each_pack_gives_the_whole_time_again() -> None:
    detector = HangDetector(LIMIT, packs_only=True)
    for now in range(3_000):
        assert detector.look(replace(COMPUTING, packs=now // 500), SLEEPING, float(now)) is None
    assert detector.quiet_seconds == pytest.approx(499)


def test_time_in_which_the_whole_host_was_suspended_does_not_count() -> None:
    detector = HangDetector(LIMIT, packs_only=True)
    assert detector.look(COMPUTING, SLEEPING, 0.0) is None
    assert detector.look(COMPUTING, SLEEPING, 86_400.0) is None
    assert detector.quiet_seconds < 10


def test_a_process_that_was_stopped_for_a_while_goes_on() -> None:
    detector = HangDetector(LIMIT, packs_only=False)
    for now in range(0, 1_000, 50):
        for second in range(40):
            assert detector.look(WORKING, STOPPED, now + second) is None
        awake = replace(SLEEPING, transfers=now + 1)
        assert detector.look(WORKING, awake, now + 41) is None
    assert detector.quiet_seconds == 0


def test_the_reason_names_the_limit_and_what_the_kernel_says() -> None:
    assert Hang(7, 600.0, "S").reason == "no progress for 600 s"
    assert Hang(7, 0.5, "T").reason == "no progress for 0.5 s: it was stopped (SIGSTOP)"
    assert Hang(7, 600.0, "D").reason == "no progress for 600 s: it waits for a file system or a device"
