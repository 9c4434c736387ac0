"""Simulated students, for studies of teachers within seconds."""
