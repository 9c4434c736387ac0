"""Stump Sequence: the ten-dimensional walker env of the authors of Portelas et al. (CoRL 2019)."""

from __future__ import annotations

from ..task_space import Setting
from .obstacle_tracks import ObstacleTracks
from .walker_body import WalkerBody


class StumpSequence(ObstacleTracks):
    """Walk over rows of five stumps whose heights and widths are set by the task.

    ## Description
    A walker crosses 93.3 m of ground on which, after a start pad of 9.3 m, rows of five stumps standing
    side by side alternate with gaps. The start pad is one ground edge. Physics, bodies, actions,
    observations, rewards, starting state and end of an episode are as in `StumpTracks`.

    ## Task Space
    | parameter | numbers | bounds | unit | meaning |
    |---|---|---|---|---|
    | stump_sizes | 10 | [0, 6] | 0.467 m, m | mean height and width of each stump, from left to right |

    Even columns are heights in units of 0.467 m, odd ones widths in metres. Each stump draws its own
    from N(mean, 0.1), at least 0.05.

    ## Arguments
    `stump_sizes`: a pair of bounds (numbers, or ten numbers each) makes it the task, ten numbers fix it.
    `obstacle_spacing` (m) and `roughness`: bounds or a number, as in `StumpTracks`. `body`: name of a
    walker or a `WalkerBody`. `render_mode`: "human" or "rgb_array".

    ```python
    env = gymnasium.make("chiron/StumpSequence-v0")
    env.reset(seed=0, options={"task": {"stump_sizes": [0.5, 1.0] * 5}})
    ```
    """

    def __init__(
        self,
        stump_sizes: Setting = (0.0, 6.0),
        obstacle_spacing: Setting = 8.0,
        roughness: Setting = 0.0,
        body: str | WalkerBody = "default",
        render_mode: str | None = None,
        engine: str = "batched",
    ) -> None:
        super().__init__(
            stump_height=None,
            stump_sizes=stump_sizes,
            obstacle_spacing=obstacle_spacing,
            roughness=roughness,
            body=body,
            render_mode=render_mode,
            engine=engine,
        )
