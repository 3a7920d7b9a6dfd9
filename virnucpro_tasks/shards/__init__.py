"""Open reading frames to shard files, and the plan that lists them. Pure functions; no Celery, no torch."""
