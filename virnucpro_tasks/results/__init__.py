"""Results of a finished job, read in Python: tables as pandas DataFrames, viral sequences as Biopython records."""

from virnucpro_tasks.results.folder import Results, open_results

__all__ = ["Results", "open_results"]
