"""Steps many walkers in one compiled call, bit for bit like Box2D.

The algorithms are those of Box2D 2.3 by Erin Catto (LICENSE.box2d), restricted to what the envs need:
convex parts joined by revolute joints, on a track that does not move. docs/engine.md describes the design.
"""
