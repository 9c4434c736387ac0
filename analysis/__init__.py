"""Analysis: many runs compared, with statistics, figures and a report."""

DIFFERENCES = ("budget", "env", "test_set")
"""In what compared runs must not differ, unless that difference is allowed."""

NAMES = ("condition", "against", "")
"""Headings of the columns of a table that hold names."""

BEST = " ★"
"""What the text of a cell ends with that is the best of its row."""
