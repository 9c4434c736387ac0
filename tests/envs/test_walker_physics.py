"""The physics of the walker envs compared with Gymnasium's BipedalWalker-v3."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from chiron.envs.walkers.stump_tracks import StumpTracks
from chiron.envs.walkers.track import Track
from gymnasium.envs.box2d.bipedal_walker import BipedalWalker, BipedalWalkerHeuristics
from numpy.typing import NDArray


class RecordedWalker(BipedalWalker):
    """Gymnasium's walker, on flat ground if requested, with its track and initial force recorded."""

    def __init__(self, ground: str) -> None:
        super().__init__(hardcore=ground == "hardcore")
        self.flat = ground == "flat"
        self.initial_force = 0.0
        self.track: Track

    def _generate_terrain(self, hardcore: bool) -> None:
        generator = self.np_random
        if self.flat:
            self.np_random = _NoBumps(generator)  # type: ignore[assignment]
        super()._generate_terrain(hardcore)  # type: ignore[no-untyped-call]
        self.np_random = generator
        ground = np.stack([self.terrain_x, self.terrain_y], axis=1).astype(np.float32)
        shapes = [body.fixtures[0].shape.vertices for body in reversed(self.terrain)]
        obstacles = tuple(np.array(corners, np.float32) for corners in shapes if len(corners) == 4)
        self.track = Track(ground, obstacles)

    def _generate_clouds(self) -> None:
        # The force is the next draw after the clouds.
        super()._generate_clouds()  # type: ignore[no-untyped-call]
        self.initial_force = copy.deepcopy(self.np_random).uniform(-5, 5)


class _NoBumps:
    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def uniform(self, low: float, high: float) -> float:
        return 0.0

    def integers(self, low: int, high: int) -> Any:
        return self._generator.integers(low, high)


def random_actions(rng: np.random.Generator, observation: NDArray[np.float32]) -> NDArray[np.float32]:
    return rng.uniform(-1.2, 1.2, 4).astype(np.float32)


class Heuristic:
    """Gymnasium's hand-written gait, which walks to the end of flat ground."""

    def __init__(self) -> None:
        self._gait = BipedalWalkerHeuristics()

    def __call__(self, rng: np.random.Generator, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(self._gait.step_heuristic(observation), dtype=np.float32)  # type: ignore[no-untyped-call]


# To be comparable, three things have to be aligned: both start in a new Box2D world (Gymnasium's reuses its
# own, and is not repeatable after the first reset), on the same ground points, with the same initial force.
# Gymnasium rounds the reward's effort to float32, hence the tolerance.
@pytest.mark.parametrize("ground", ["flat", "uneven", "hardcore"])
@pytest.mark.parametrize("make_policy", [lambda: random_actions, Heuristic], ids=["random", "heuristic"])
@pytest.mark.parametrize("seed", range(3))
def test_walker_moves_as_gymnasiums_does(ground: str, make_policy: Any, seed: int) -> None:
    reference = RecordedWalker(ground)
    walker = StumpTracks()
    expected, _ = reference.reset(seed=seed)
    observed = walker.start(reference.track, reference.initial_force)
    np.testing.assert_allclose(observed, expected, rtol=0, atol=1e-6)

    policy, rng = make_policy(), np.random.default_rng(seed)
    for _ in range(1000):
        action = policy(rng, expected)
        expected, expected_reward, expected_end, _, _ = reference.step(action)
        observed, reward, terminated, _, _ = walker.step(action)
        np.testing.assert_allclose(observed, expected, rtol=0, atol=1e-6)
        assert reward == pytest.approx(expected_reward, abs=1e-5)
        assert terminated == expected_end
        if terminated:
            break
    assert (np.ptp(reference.track.ground[:, 1]) == 0) == (ground == "flat")
    assert bool(reference.track.obstacles) == (ground == "hardcore")
