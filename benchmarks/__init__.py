"""Benchmarks of speed, compared with other libraries. Not installed; run `python -m benchmarks`."""
