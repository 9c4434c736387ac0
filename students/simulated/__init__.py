"""Simulated students: what a teacher is worth, in seconds."""
