"""Simulated students, for studies of teachers that take seconds."""
