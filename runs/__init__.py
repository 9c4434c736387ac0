"""Runs: the training of a student with a teacher, its directory, logs and checkpoints."""
