"""Processes, signals and devices. Knows nothing of biology."""
