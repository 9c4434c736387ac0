"""Runs: one training of a student under a teacher, its directory, logs and checkpoints."""
