"""Analysis: many runs compared, with statistics, figures and a report."""
