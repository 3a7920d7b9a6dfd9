from __future__ import annotations

import re

from monitoring.looks import gpu_worker, look, open_job, troubled

from virnucpro_tasks.jobs.progress import Wait
from virnucpro_tasks.monitoring.look import FailedJob, Look
from virnucpro_tasks.monitoring.page import deployment_page
from virnucpro_tasks.queue.work_counts import WorkCounts


def rows(seen: Look) -> list[str]:
    """The text of each row of both tables."""
    found = re.findall(r"<tr>(<th scope=\"row\">.*?)</tr>", deployment_page(seen, every_seconds=15), re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in found]


def test_a_job_shows_how_far_it_is_and_who_is_at_it() -> None:
    job, *workers = rows(look())
    assert "run_7" in job and "40% embedding, 4 of 10 shards 0:12 1 task under way" in job
    assert "embed-gpu0@one for 0:12 at shard 5" in job
    assert workers[0].startswith("embed-gpu0@one shard 5 of run_7 0:12 0:01 50 NVIDIA H200")
    assert workers[1].startswith("coordinate-0@one idle")
    assert 'class="bad"' not in deployment_page(look(), every_seconds=15)


def test_what_is_stuck_slow_or_dead_is_marked() -> None:
    marked = re.findall(r'bad">([^<]+)<', deployment_page(troubled(), every_seconds=15))
    assert {r"shard 5 of held\x1b[2J&lt;b&gt;up&lt;/b&gt;", "2:40", "died", "gone"} <= set(marked)
    stuck = look(open_jobs=(open_job(wait=Wait("no progress on embed-gpu0@one", 65.0)),))
    assert 'class="bad">no progress on embed-gpu0@one for 1:05' in deployment_page(stuck, every_seconds=15)
    pair = (gpu_worker(), gpu_worker("embed-gpu1@one", counts=WorkCounts({"embedded": 5}, 10.0, 100)))
    assert 'bad">10 (slow)' in deployment_page(look(workers=pair), every_seconds=15)


def test_a_failed_job_is_named_without_its_reason() -> None:
    seen = look(failed_jobs=(FailedJob("run_8", "bob", 65.0),))
    assert "run_8 of bob failed 1:05 ago: &#39;virnucpro status run_8&#39; says why" in deployment_page(
        seen, every_seconds=15
    )


def test_of_a_store_that_is_away_no_job_is_known() -> None:
    away = deployment_page(look(store_error="not mounted", store=None, jobs={}, open_jobs=()), every_seconds=15)
    assert "Jobs are not known." in away and "<p>Not known.</p>" in away
    assert "No job in the store." not in away and "<p>None.</p>" not in away
    assert "No job in the store." in deployment_page(look(jobs={}, open_jobs=()), every_seconds=15)
