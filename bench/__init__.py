"""Measures the parse-and-diff hot path against itself, as ratios in one run."""
