"""Analysis: comparison of many runs, with statistics, figures and a report."""

DIFFERENCES = ("budget", "env", "test_set")
"""What must be the same in all compared runs unless a difference is allowed."""

NAMES = ("condition", "against", "")
"""Headings of table columns that hold names."""

BEST = " ★"
"""Suffix of the best cell of a row."""
