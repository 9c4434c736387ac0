"""Hexagon Tracks: the twelve-dimensional walker env of Portelas et al. (CoRL 2019)."""

from __future__ import annotations

from ..task_space import Setting
from .obstacle_tracks import ObstacleTracks
from .walker_body import WalkerBody


class HexagonTracks(ObstacleTracks):
    """Walk over hexagons whose corners are offset by the task.

    ## Description
    A walker crosses 93.3 m of ground on which, after a start pad of 9.3 m, irregular convex obstacles
    alternate with gaps. The start pad is one ground edge. Physics, bodies, actions, observations, rewards,
    starting state and end of an episode are as in `StumpTracks`.

    ## Task Space
    | parameter | numbers | bounds | unit | meaning |
    |---|---|---|---|---|
    | hexagon | 12 | [0, 4] | 0.467 m | offset (x, y) of each of six points, from the left foot to the right |

    The points are (-0.5, 0), (-0.5, 0.25), (-0.25, 0.5), (0.25, 0.5), (0.5, 0.25) and (0.5, 0), in units of
    0.467 m around the position of the obstacle, each moved by its offset; each obstacle draws its own
    offsets from N(offset, 0.1). The first and the last point stay on the ground: they move in x only, so
    hexagon_1 and hexagon_11 have no effect. The obstacle is the convex hull of the six points. It is followed
    by 1 m and the gap.

    ## Arguments
    `hexagon`: a pair of bounds (numbers, or twelve numbers each) makes it the task, twelve numbers fix it.
    `obstacle_spacing` (m) and `roughness`: bounds or a number, as in `StumpTracks`. `body`: name of a
    walker or a `WalkerBody`. `render_mode`: "human" or "rgb_array".

    ```python
    env = gymnasium.make("chiron/HexagonTracks-v0", body="quadruped")
    env.reset(seed=0, options={"task": {"hexagon": [1.0] * 12}})
    ```

    ## Deviations
    A hexagon thinner than a centimetre, from which Box2D could not build a polygon, is replaced by its
    bounding box, a centimetre wide.
    """

    def __init__(
        self,
        hexagon: Setting = (0.0, 4.0),
        obstacle_spacing: Setting = 8.0,
        roughness: Setting = 0.0,
        body: str | WalkerBody = "default",
        render_mode: str | None = None,
        engine: str = "batched",
    ) -> None:
        super().__init__(
            stump_height=None,
            hexagon=hexagon,
            obstacle_spacing=obstacle_spacing,
            roughness=roughness,
            body=body,
            render_mode=render_mode,
            engine=engine,
        )
