"""Stump Tracks: the two-dimensional walker world of Portelas et al. (CoRL 2019)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from envs.task_space import Setting
from envs.track import Track, stump_track
from envs.walker_body import WalkerBody
from envs.walker_env import WalkerEnv


class StumpTracks(WalkerEnv):
    """Walk over stumps whose height and spacing the task decides.

    ## Description
    A two-legged walker with motorised hips and knees crosses 93.3 m of flat ground on which, after a
    start pad of 9.3 m, rectangular stumps 0.467 m wide alternate with gaps. Physics, body, reward and
    lidar are those of Gymnasium's BipedalWalker-v3 (Box2D, 50 steps per second).

    ## Task Space
    | parameter | bounds | unit | meaning |
    |---|---|---|---|
    | stump_height | [0, 3] | 0.467 m | mean height; each stump is N(mean, 0.1), at least 0.05 |
    | obstacle_spacing | [0, 6] | m | flat gap after each stump, at least 0.01 m |

    The paper also uses upper bounds of 4 and 5 on stump_height, where most tasks cannot be learned.

    ## Action Space
    `Box(-1, 1, (4,), float32)`: hip, knee, hip, knee. The sign gives the direction (4 rad/s at a hip,
    6 rad/s at a knee), the magnitude the share of the torque (80 N·m).

    ## Observation Space
    `Box((24,), float32)`
    | index | what | unit |
    |---|---|---|
    | 0 | hull angle | rad |
    | 1 | hull angular velocity | 25 rad/s |
    | 2, 3 | hull velocity, horizontal and vertical | 8.33 m/s, 12.5 m/s |
    | 4, 9 | hip angle | rad |
    | 5, 10 | hip speed | 4 rad/s |
    | 6, 11 | knee angle + 1 | rad |
    | 7, 12 | knee speed | 6 rad/s |
    | 8, 13 | foot on the ground | 0 or 1 |
    | 14-23 | distance along 10 lidar rays, straight down to 77° forward | 5.33 m |

    ## Rewards
    Per step 130/30 per metre gained, less 5 per radian of tilt gained, less 0.028 per unit of action;
    -100 instead on the step in which the walker falls. A whole track is worth 300 to 364.

    ## Starting State
    Standing in the middle of the start pad, with a random horizontal push of up to 5 N on the hull for
    one step. The seed decides the push and the height of each stump.

    ## Episode End
    Termination when the hull touches anything, when the walker leaves the track backwards, or past the
    finish line at 88.7 m. Truncation after 2000 steps. A task is mastered in an episode with a return
    above 230; the last step's info says so (`is_success`).

    ## Arguments
    `stump_height`, `obstacle_spacing`: a pair of bounds makes the parameter a dimension of the task, a
    number fixes it. `body`: name of a walker or a `WalkerBody`. `engine`: what steps many of these worlds
    together, `box2d` or `batched`; results are the same.

    ```python
    env = gymnasium.make("chiron/StumpTracks-v0", body="default")
    env.reset(seed=0, options={"task": {"stump_height": 0.5, "obstacle_spacing": 4.0}})
    ```

    ## Deviations
    The authors' code may report a lidar hit that is not the nearest, and draws stumps from a generator
    that nothing seeds. Here the nearest hit counts and the seed decides.
    """

    units: ClassVar[dict[str, str]] = {"stump_height": "0.467 m", "obstacle_spacing": "m"}
    easy_high: ClassVar[frozenset[str]] = frozenset({"obstacle_spacing"})

    def __init__(
        self,
        stump_height: Setting = (0.0, 3.0),
        obstacle_spacing: Setting = (0.0, 6.0),
        body: str | WalkerBody = "default",
        engine: str = "box2d",
    ) -> None:
        super().__init__({"stump_height": stump_height, "obstacle_spacing": obstacle_spacing}, body, engine)

    def make_track(self, rng: np.random.Generator, **parameters: float) -> Track:
        return stump_track(rng, **parameters)


batched = StumpTracks.batched
