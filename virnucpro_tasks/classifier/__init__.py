"""Vectors to scores, scores to calls."""
