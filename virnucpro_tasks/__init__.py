"""VirNucPro as a task queue: reads → shards → embed → classifier → output."""

__version__ = "0.4.0"
