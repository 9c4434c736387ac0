"""Tracks of obstacles: drawing their numbers, and the compiled functions that make ground and polygons."""
