"""Measures how well viral contigs are told from others: our bundles, baselines, and other tools on the same contigs."""
