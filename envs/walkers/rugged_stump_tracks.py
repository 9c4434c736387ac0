"""Stump Tracks whose difficulty does not grow steadily over the task space."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..task_space import Setting
from .stump_tracks import StumpTracks
from .track import Track
from .walker_body import WalkerBody

_MAX_INTERVALS = 10_000


class RuggedStumpTracks(StumpTracks):
    """Walk over stumps whose height and spacing are set by the task, through shuffled intervals.

    ## Description
    `StumpTracks`, but the range of each parameter of the task is cut into intervals of the same width, which
    are shuffled before the track is made. Neighbouring tasks are still similar within an interval, but easy
    tasks are scattered over the space. A profile of the TeachMyAgent benchmark (Romac et al., ICML 2021:
    rugged difficulty), which has four intervals for each parameter. The start pad is one ground edge.

    ## Task Space
    | parameter | bounds | unit | meaning |
    |---|---|---|---|
    | stump_height | [0, 3] | 0.467 m | its interval determines the interval of the mean height |
    | obstacle_spacing | [0, 6] | m | likewise for the gap after each stump |

    Within an interval, numbers keep their order. `stump_width`, `stump_rotation` and `roughness` can be part
    of the task as in `StumpTracks`, and are shuffled too.

    ## Action Space
    That of `StumpTracks`.

    ## Observation Space
    That of `StumpTracks`.

    ## Rewards
    Those of `StumpTracks`.

    ## Starting State
    That of `StumpTracks`.

    ## Episode End
    That of `StumpTracks`; mastered above a return of 230.

    ## Arguments
    Those of `StumpTracks`; `intervals`: number of intervals per parameter, 1 to 10,000; `shuffle_seed`: seeds
    their order. Parameters are shuffled independently of each other.

    ## Deviations
    The benchmark's authors did not publish their order; that of any seed is as good.
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
        intervals: int = 4,
        shuffle_seed: int = 0,
    ) -> None:
        super().__init__(
            stump_height=stump_height,
            obstacle_spacing=obstacle_spacing,
            stump_width=stump_width,
            stump_rotation=stump_rotation,
            roughness=roughness,
            body=body,
            render_mode=render_mode,
            engine=engine,
        )
        if not 1 <= intervals <= _MAX_INTERVALS:
            raise ValueError(f"intervals={intervals} must lie in [1, {_MAX_INTERVALS}]")
        if shuffle_seed < 0:
            raise ValueError(f"shuffle_seed={shuffle_seed} must be at least 0")
        rng = np.random.default_rng(shuffle_seed)
        self._bounds = {
            parameter.name: (float(parameter.low[0]), float(parameter.high[0]))
            for parameter in self.task_space.parameters
        }
        self._places = {name: rng.permutation(intervals) for name in self._bounds}

    def make_track(self, rng: np.random.Generator, **parameters: Any) -> Track:
        shuffled = {name: self._shuffle(name, parameters[name]) for name in self._bounds}
        return super().make_track(rng, **parameters | shuffled)

    def _shuffle(self, name: str, value: float) -> float:
        low, high = self._bounds[name]
        places = self._places[name]
        position = (value - low) / (high - low) * len(places)
        interval = min(int(position), len(places) - 1)
        return float(low + (places[interval] + position - interval) / len(places) * (high - low))
