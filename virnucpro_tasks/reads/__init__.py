"""Input files to chunks and open reading frames. Pure functions; no Celery, no torch."""
