"""Benchmarks: how fast everything is here, beside its peers. Not installed: `python -m benchmarks`."""
