"""Fitting heads to labelled records, and measuring any head on them. Imports scikit-learn; torch for the MLP alone."""
