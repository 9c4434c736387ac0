"""Any Gymnasium env with some of its numbers as task, by configuration."""
