from __future__ import annotations

import pytest
from monitoring.looks import coordinator, gpu_worker, look, open_job, troubled
from rich.cells import cell_len

from virnucpro_tasks.cli.top_screen import screen
from virnucpro_tasks.queue.work_counts import WorkCounts


def test_one_look_tells_how_far_a_job_is_and_who_is_at_what() -> None:
    lines = screen(look(), width=120, height=None)
    assert "jobs: 1 embedding, 3 done" in lines[0]
    assert lines[1].split("  ")[-1] == "2 workers, 1 busy"
    job = next(line for line in lines if line.startswith("run_7")).split()
    assert job[1:4] == ["40%", "done", "0:12"]
    assert "shard 5 on embed-gpu0@one" in " ".join(job)
    worker = next(line for line in lines if line.startswith("embed-gpu0@one"))
    assert "shard 5 of run_7" in worker
    assert " 0:12 " in worker and " 50 " in worker


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_screen_and_none_controls_it(width: int) -> None:
    for line in screen(troubled(), width=width, height=None):
        assert cell_len(line) <= width
        assert line.isprintable()


@pytest.mark.parametrize("height", [12, 24, 60])
def test_a_low_screen_shows_the_first_of_each_and_counts_the_rest(height: int) -> None:
    many = look(
        open_jobs=tuple(open_job(f"run_{number}") for number in range(100)),
        workers=(coordinator(), *(gpu_worker(f"embed-gpu{number}@one") for number in range(100))),
    )
    lines = screen(many, width=80, height=height)
    assert len(lines) <= max(height, 14)
    assert sum("more" in line for line in lines) >= 2


def test_what_is_stuck_or_dead_comes_first_among_workers() -> None:
    lines = screen(troubled(), width=120, height=None)
    names = [line.split()[0] for line in lines if line.startswith(("embed-", "coordinate-"))]
    assert names == ["embed-gpu0@one", "coordinate-0@one", "embed-gpu1@one", "embed-gpu2@two"]
    assert sum(line.startswith("! ") for line in lines) == 10


def test_the_slowest_of_the_busy_workers_comes_first() -> None:
    made = [gpu_worker(name, counts=WorkCounts(seconds=1.0, tokens=tokens)) for name, tokens in (("a", 9), ("b", 2))]
    lines = screen(look(workers=(coordinator(), *made)), width=120, height=None)
    assert [line.split()[0] for line in lines[-3:]] == ["b", "a", "coordinate-0@one"]


def test_whose_turn_it_is_is_shown_even_on_eighty_columns() -> None:
    later = open_job("later", job_id="20270101t000001z-aaaaaaaaaaaaaaaa", priority=9)
    lines = screen(look(open_jobs=(open_job(), later)), width=79, height=23)
    place = lines[3].index("TURN")
    assert [line[place:].split("  ")[0].strip() for line in lines[4:6]] == ["next", "after 1"]


def test_an_empty_deployment_has_a_screen_too() -> None:
    lines = screen(look(open_jobs=(), workers=(), jobs={}), width=80, height=24)
    assert lines[-3:] == ["no open job", "", "no worker"]


def test_what_needs_a_person_is_told_to_its_end_on_eighty_columns() -> None:
    cause = "Redis at redis://redis.example.org:6379/0 cannot be reached: Timeout reading from socket, after 5 s"
    away = look(redis_error=cause, workers=())
    for height in (None, 24):
        lines = screen(away, width=80, height=height)
        first = lines.index(next(line for line in lines if line.startswith("! ")))
        assert lines[first].removeprefix("! ") + " " + lines[first + 1].removeprefix("  ") == cause
    assert sum(line.startswith("! ") for line in screen(troubled(), width=40, height=24)) > 1
