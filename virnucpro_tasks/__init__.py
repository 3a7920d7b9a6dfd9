"""VirNucPro as a task queue: reads → shards → embed → classify → output."""

__version__ = "0.4.0"
