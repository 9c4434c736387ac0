"""Open-Ended Tracks: the eight-dimensional walker env of unsupervised environment design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ..task_space import Quantity, Setting
from .track import Track
from .walker_body import WalkerBody
from .walker_env import MOST, WalkerEnv

_MOST_STEPS = 100
"""Most stairs in a flight: longer than a whole track, whose layout has room for twice as many."""

_EASIEST = {
    "roughness": 0.0,
    "pit_gap_low": 0.0,
    "pit_gap_high": 0.0,
    "stump_height_low": 0.0,
    "stump_height_high": 0.0,
    "stair_height_low": 0.0,
    "stair_height_high": 0.0,
    "stair_steps": 1.0,
}

TEST_ENVS: dict[str, dict[str, float] | None] = {
    "BipedalWalker-v3": {"roughness": 1.0},
    "BipedalWalkerHardcore-v3": None,
    "stairs": {"stair_height_low": 2.0, "stair_height_high": 2.0, "stair_steps": 5.0},
    "pit_gap": {"pit_gap_low": 5.0, "pit_gap_high": 5.0},
    "stump_height": {"stump_height_low": 2.0, "stump_height_high": 2.0},
    "roughness": {"roughness": 5.0},
}
"""The test envs of this line of work, as differences from the easiest task; None for one that is no task."""


class OpenEndedTracks(WalkerEnv):
    """Walk over bumps, pits, stumps and stairs: the BipedalWalker of open-ended environment design.

    ## Description
    A walker crosses 92.9 m of ground on which, after a start pad of 9.3 m, stretches of 5 to 9 steps
    (0.467 m each) of bumpy grass alternate with obstacles, each of a kind drawn uniformly from those that
    the task enables. The start pad has one ground edge per step, as in Gymnasium's BipedalWalker-v3.
    Physics, bodies, actions, observations, rewards, starting state and end of an episode are as in
    `StumpTracks`, and therefore those of BipedalWalker-v3.

    ## Task Space
    | parameter | bounds | unit | meaning |
    |---|---|---|---|
    | roughness | [0, 10] | | factor on the bumps of the grass; Gymnasium's has 1 |
    | pit_gap_low, pit_gap_high | [0, 10] | 0.467 m | a pit is U(low, high) wide between its walls; none if \
high < 0.8 |
    | stump_height_low, stump_height_high | [0, 5] | 0.467 m | a stump is U(low, high) high and one step \
wide; none if high < 0.2 |
    | stair_height_low, stair_height_high | [0, 5] | 0.467 m | the stairs of a flight are all U(low, high) \
high, up or down, and four steps long; none if high < 0.2 |
    | stair_steps | [1, 9] | | stairs in a flight, rounded |

    Low and high may come in either order. Parameters that a task does not name are as easy as possible. Task
    and episode seed together identify a level.

    At each step of grass the ground's velocity v becomes 0.8 v + 0.01 sign(start pad - y) + U(-1, 1)/30,
    and its height y changes by roughness × v metres. A pit's walls are a step thick and begin 1 + U(low,
    high) steps apart.

    ## Test Envs
    `test_env` selects one of six test envs, which every episode then plays, whatever its task:
    BipedalWalker-v3 (a roughness of 1), BipedalWalkerHardcore-v3, and one kind of difficulty at a time:
    stairs (height 2, flights of 5), pit_gap (5), stump_height (2), roughness (5). They count as solved above
    a return of 230.

    ## Arguments
    The parameters of the task space: a pair of bounds makes a parameter part of the task, a number fixes
    it. `body`: name of a walker or a `WalkerBody`. `test_env`: name of a test env or None.
    `render_mode`: "human" or "rgb_array".

    ```python
    env = gymnasium.make("chiron/OpenEndedTracks-v0")
    env.reset(seed=0, options={"task": {"pit_gap_low": 1.0, "pit_gap_high": 2.0}})
    ```

    ## Deviations
    In Gymnasium's hardcore walker, and in envs built on it, the ground climbs through the stairs
    as a ramp. Here it stays below them, in flights of exactly `stair_steps` stairs;
    BipedalWalkerHardcore-v3 is Gymnasium's own, including the ramp.

    ## References
    Wang et al. 2019 (POET); Parker-Holder et al. 2022 (ACCEL), whose ranges and test envs these are.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "roughness": Quantity(default="easy", most=MOST),
        "stair_steps": Quantity(default="easy", most=_MOST_STEPS),
        **{
            f"{name}_{end}": Quantity("0.467 m", default="easy", most=MOST)
            for name in ("pit_gap", "stump_height", "stair_height")
            for end in ("low", "high")
        },
    }

    def __init__(
        self,
        roughness: Setting = (0.0, 10.0),
        pit_gap_low: Setting = (0.0, 10.0),
        pit_gap_high: Setting = (0.0, 10.0),
        stump_height_low: Setting = (0.0, 5.0),
        stump_height_high: Setting = (0.0, 5.0),
        stair_height_low: Setting = (0.0, 5.0),
        stair_height_high: Setting = (0.0, 5.0),
        stair_steps: Setting = (1.0, 9.0),
        body: str | WalkerBody = "default",
        test_env: str | None = None,
        render_mode: str | None = None,
        engine: str = "batched",
    ) -> None:
        if test_env is not None and test_env not in TEST_ENVS:
            raise ValueError(f"test_env={test_env!r} must be one of {list(TEST_ENVS)}")
        settings = {
            "roughness": roughness,
            "pit_gap_low": pit_gap_low,
            "pit_gap_high": pit_gap_high,
            "stump_height_low": stump_height_low,
            "stump_height_high": stump_height_high,
            "stair_height_low": stair_height_low,
            "stair_height_high": stair_height_high,
            "stair_steps": stair_steps,
        }
        missing = [name for name, setting in settings.items() if setting is None]
        if missing:
            raise ValueError(f"{missing[0]}=None must be a number or [low, high]")
        super().__init__(settings, body, render_mode, engine)
        self.test_env = test_env

    def make_track(self, rng: np.random.Generator, **parameters: float) -> Track:
        # Imported here: Numba, which lays out the tracks, takes longer to import than everything else.
        from .layouts.obstacle_course import course_track, features, hardcore_kinds

        if self.test_env is not None:
            test = TEST_ENVS[self.test_env]
            if test is None:
                return course_track(rng, 1.0, hardcore_kinds())
            parameters = {**_EASIEST, **test}
        return course_track(rng, parameters["roughness"], features(parameters))
