"""A job: its inputs and parameters on disk, and how far it is."""
