"""Tracks of obstacles: what is drawn, and the compiled functions that turn it into ground and polygons."""
