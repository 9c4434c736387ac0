"""Stump Tracks: the two-dimensional walker env of Portelas et al. (CoRL 2019)."""

from __future__ import annotations

from ..task_space import Setting
from .obstacle_tracks import ObstacleTracks
from .walker_body import WalkerBody


class StumpTracks(ObstacleTracks):
    """Walk over stumps whose height and spacing are set by the task.

    ## Description
    A walker with motorised hips and knees crosses 93.3 m of flat ground on which, after a start pad of
    9.3 m, rectangular stumps 0.467 m wide alternate with gaps. Physics, reward, lidar and the default
    two-legged body are those of Gymnasium's BipedalWalker-v3 on the same ground (Box2D, 50 steps per
    second). The start pad is one ground edge, as in the authors' code; BipedalWalker-v3 lays an edge per
    0.467 m.

    ## Task Space
    | parameter | bounds | unit | meaning |
    |---|---|---|---|
    | stump_height | [0, 3] | 0.467 m | mean height; each stump is N(mean, 0.1), at least 0.05 |
    | obstacle_spacing | [0, 6] | m | flat gap after each stump, at least 0.01 m |

    The paper also uses upper bounds of 4 and 5 on stump_height, where most tasks cannot be learned.

    Three more parameters can be part of the task, or be fixed:
    | parameter | sensible bounds | unit | meaning |
    |---|---|---|---|
    | stump_width | [0, 4] | 0.467 m | mean width; each stump is N(mean, 0.1), at least 0.05 |
    | stump_rotation | [0, 6.28] | rad | mean turn about the middle of the base; each stump is N(mean, 0.1) |
    | roughness | [0, 2] | | how bumpy the gaps are |

    At each point of a rough gap, 0.467 m apart, the ground's velocity v becomes
    0.8 v + 0.01 sign(start pad - y) + U(-roughness, roughness)/30, and its height y changes by v metres.

    ## Action Space
    `Box(-1, 1, (4,), float32)`: hip, knee, hip, knee. The sign gives the direction (4 rad/s at a hip,
    6 rad/s at a knee), the magnitude the share of the torque (80 N·m). The quadruped has eight joints of
    300 N·m, the pair of back legs first.

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

    `Box((34,), float32)` for the quadruped: rows 4 to 8 come once for each of its four legs.

    ## Rewards
    Per step 130/30 per metre gained, minus 5 per radian of tilt gained, minus 0.028 per unit of action
    (quadruped: 0.0131); -100 instead on the step in which the walker falls. A whole track is worth 300 to
    364.

    ## Starting State
    Standing in the middle of the start pad, with a random horizontal push of up to 5 N on the hull for
    one step. The seed determines the push and the height of each stump.

    ## Episode End
    Termination when the hull touches anything, when the walker leaves the track backwards, or when it
    passes the finish line at 88.7 m. Truncation after 2000 steps. A task is mastered in an episode with a
    return above 230, which the last step's info reports (`is_success`).

    ## Arguments
    The parameters of the task space: a pair of bounds makes a parameter part of the task, a number fixes
    it, None (width and rotation) leaves all stumps 0.467 m wide and upright. `body`: "default", "short"
    (legs half as long), "quadruped", or a `WalkerBody`. `render_mode`: "human" or "rgb_array".
    `engine`: what steps many of these envs together, "batched", "cuda" or "box2d"; results are the same.

    ```python
    env = gymnasium.make("chiron/StumpTracks-v0", body="default")
    env.reset(seed=0, options={"task": {"stump_height": 0.5, "obstacle_spacing": 4.0}})
    ```

    ## Deviations
    The authors' code may report a lidar hit that is not the nearest, never reports ground contact of the
    quadruped's back legs, and draws stumps from an unseeded generator. Here the lidar reports the nearest
    hit, all feet report ground contact, and stumps depend on the seed.
    """

    def __init__(
        self,
        stump_height: Setting = (0.0, 3.0),
        obstacle_spacing: Setting = (0.0, 6.0),
        stump_width: Setting = None,
        stump_rotation: Setting = None,
        roughness: Setting = 0.0,
        body: str | WalkerBody = "default",
        render_mode: str | None = None,
        engine: str = "batched",
    ) -> None:
        super().__init__(
            stump_height=stump_height,
            stump_width=stump_width,
            stump_rotation=stump_rotation,
            obstacle_spacing=obstacle_spacing,
            roughness=roughness,
            body=body,
            render_mode=render_mode,
            engine=engine,
        )
