"""Walkers: bodies, tracks, their physics in Box2D, and a compiled engine that steps many at once."""
