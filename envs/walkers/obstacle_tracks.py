"""Walkers on tracks of obstacles that alternate with gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ..task_space import Quantity, Setting
from .track import Track
from .walker_body import WalkerBody
from .walker_env import MOST, WalkerEnv


class ObstacleTracks(WalkerEnv):
    """Walk over stumps, hexagons and rows of stumps: all obstacles of Portelas et al. (2019).

    ## Description
    The kind of each obstacle is drawn uniformly from the kinds that are given a setting.
    `StumpTracks`, `HexagonTracks` and `StumpSequence` are this env with one kind each. The start pad is
    one ground edge. Physics, bodies, actions, observations, rewards, starting state and end of an episode
    are as in `StumpTracks`.

    ## Task Space
    Every parameter given as a pair of bounds; stumps and spacing by default. A fixed value is the same in
    every task, None leaves the parameter out.
    | parameter | numbers | unit | meaning |
    |---|---|---|---|
    | stump_height | 1 | 0.467 m | each stump is N(mean, 0.1) high, at least 0.05; None: no stumps |
    | stump_width | 1 | 0.467 m | each stump is N(mean, 0.1) wide, at least 0.05; None: exactly 1 |
    | stump_rotation | 1 | rad | each stump is turned by N(mean, 0.1) in [0, 2π]; None: upright |
    | hexagon | 12 | 0.467 m | offsets of a hexagon's corners, as in `HexagonTracks`; None: no hexagons |
    | stump_sizes | 10 | 0.467 m, m | heights and widths, as in `StumpSequence`; None: no rows of stumps |
    | obstacle_spacing | 1 | m | flat gap after each obstacle, at least 0.01 m |
    | roughness | 1 | | how bumpy the gaps are, as in `StumpTracks`; 0: flat |

    ## Arguments
    The parameters of the task space; `body`: name of a walker or a `WalkerBody`; `render_mode`:
    "human" or "rgb_array".

    ```python
    env = gymnasium.make("chiron/ObstacleTracks-v0", stump_height=(0, 2), hexagon=(0, 1), roughness=0.5)
    ```
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "stump_height": Quantity("0.467 m", most=MOST),
        "stump_width": Quantity("0.467 m", most=MOST),
        "stump_rotation": Quantity("rad", most=MOST),
        "hexagon": Quantity("0.467 m", size=12, most=MOST),
        "stump_sizes": Quantity("0.467 m, m", size=10, most=MOST),
        "obstacle_spacing": Quantity("m", easy="high", most=MOST),
    }

    def __init__(
        self,
        stump_height: Setting = (0.0, 3.0),
        stump_width: Setting = None,
        stump_rotation: Setting = None,
        hexagon: Setting = None,
        stump_sizes: Setting = None,
        obstacle_spacing: Setting = (0.0, 6.0),
        roughness: Setting = 0.0,
        body: str | WalkerBody = "default",
        render_mode: str | None = None,
        engine: str = "batched",
    ) -> None:
        settings = {
            "stump_height": stump_height,
            "stump_width": stump_width,
            "stump_rotation": stump_rotation,
            "hexagon": hexagon,
            "stump_sizes": stump_sizes,
            "obstacle_spacing": obstacle_spacing,
            "roughness": roughness,
        }
        if stump_height is None and not (stump_width is None and stump_rotation is None):
            raise ValueError("stump_height=None leaves no stumps for stump_width and stump_rotation")
        if stump_height is None and hexagon is None and stump_sizes is None:
            raise ValueError("one of stump_height, hexagon and stump_sizes must be given")
        if obstacle_spacing is None or roughness is None:
            raise ValueError("obstacle_spacing and roughness must be a number or [low, high]")
        if np.min(roughness) < 0:
            raise ValueError(f"roughness={roughness} must be at least 0")
        super().__init__(settings, body, render_mode, engine)

    def make_track(self, rng: np.random.Generator, **parameters: Any) -> Track:
        # Imported here: Numba, which lays out the tracks, takes longer to import than everything else.
        from .layouts.obstacles import Hexagon, Obstacle, Stump, StumpRow, obstacle_track

        kinds: list[Obstacle] = []
        if "stump_height" in parameters:
            width, rotation = parameters.get("stump_width"), parameters.get("stump_rotation")
            kinds.append(Stump(parameters["stump_height"], width, rotation))
        if "hexagon" in parameters:
            kinds.append(Hexagon(parameters["hexagon"]))
        if "stump_sizes" in parameters:
            kinds.append(StumpRow(parameters["stump_sizes"]))
        return obstacle_track(rng, kinds, parameters["obstacle_spacing"], parameters["roughness"])
