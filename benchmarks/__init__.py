"""Measurements against other frameworks, in one run, and their history. Run ``python -m benchmarks``."""
