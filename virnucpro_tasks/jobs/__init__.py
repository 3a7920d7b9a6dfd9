"""Jobs on disk: description, inputs, progress, results. Nothing here knows Celery."""
