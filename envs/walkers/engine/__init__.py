"""Walkers, many of them stepped by one compiled call, bit for bit as Box2D steps them.

The algorithms are those of Box2D 2.3 by Erin Catto (LICENSE.box2d), restricted to what the envs consist of:
convex parts joined by revolute joints, on a track that does not move. docs/engine.md says how it all works.
"""
