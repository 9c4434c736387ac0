"""The start pad's geometry, and its effect: how a walker stands at the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from chiron.envs.walkers.hexagon_tracks import HexagonTracks
from chiron.envs.walkers.obstacle_tracks import ObstacleTracks
from chiron.envs.walkers.open_ended_tracks import TEST_ENVS, OpenEndedTracks
from chiron.envs.walkers.rugged_stump_tracks import RuggedStumpTracks
from chiron.envs.walkers.stump_sequence import StumpSequence
from chiron.envs.walkers.stump_tracks import StumpTracks
from chiron.envs.walkers.track import GROUND_LEVEL, STEP, Track
from chiron.envs.walkers.walker_env import WalkerEnv
from gymnasium.envs.box2d.bipedal_walker import BipedalWalkerHeuristics

OBSTACLE_ENVS: dict[str, Callable[[], WalkerEnv]] = {
    "stumps": StumpTracks,
    "rough stumps": lambda: StumpTracks(roughness=(0.0, 2.0)),
    "turned stumps": lambda: StumpTracks(stump_width=(0.0, 4.0), stump_rotation=(0.0, 6.28)),
    "hexagons": HexagonTracks,
    "stump rows": StumpSequence,
    "all kinds": lambda: ObstacleTracks(hexagon=(0.0, 4.0), stump_sizes=(0.0, 6.0), roughness=(0.0, 2.0)),
    "rugged stumps": RuggedStumpTracks,
}
SEEDS = range(3)
NEARLY_FLAT = {"stump_height": 0.05, "obstacle_spacing": 3.0}


def tracks(env: WalkerEnv, n: int = 10) -> list[Track]:
    rng = np.random.default_rng(0)
    tasks = env.task_space.sample(rng, n)
    return [env.make_track(rng, **env.settings.values_in(task)) for task in tasks]


@pytest.mark.parametrize("name", list(OBSTACLE_ENVS))
def test_tracks_of_obstacles_begin_with_a_single_edge(name: str) -> None:
    for track in tracks(OBSTACLE_ENVS[name]()):
        np.testing.assert_allclose(track.ground[:2], [(0, GROUND_LEVEL), (9.3333, GROUND_LEVEL)], atol=1e-4)


@pytest.mark.parametrize("test_env", [None, *TEST_ENVS])
def test_open_ended_tracks_begin_with_an_edge_per_track_step(test_env: str | None) -> None:
    for track in tracks(OpenEndedTracks(test_env=test_env)):
        np.testing.assert_allclose(track.ground[:21, 0], np.arange(21) * STEP, atol=1e-5)
        assert (track.ground[:20, 1] == np.float32(GROUND_LEVEL)).all()


@dataclass(frozen=True)
class Episode:
    """How an episode of Gymnasium's gait went."""

    total: float
    steps: int
    truncated: bool
    hull_x: float


def one_at_a_time(seed: int) -> Episode:
    env, gait = StumpTracks(), BipedalWalkerHeuristics()
    observation, _ = env.reset(seed=seed, options={"task": NEARLY_FLAT})
    total, steps, terminated, truncated = 0.0, 0, False, False
    while not (terminated or truncated):
        action = gait.step_heuristic(observation)  # type: ignore[no-untyped-call]
        observation, reward, terminated, truncated, _ = env.step(np.asarray(action, np.float32))
        total, steps = total + reward, steps + 1
    assert env._simulation is not None
    return Episode(total, steps, truncated, env._simulation._parts[0].position.x)


def all_at_once() -> list[Episode]:
    envs = StumpTracks().batch(len(SEEDS))
    gaits = [BipedalWalkerHeuristics() for _ in SEEDS]
    observations, _ = envs.reset(seed=list(SEEDS), options={"task": NEARLY_FLAT})
    totals, steps = np.zeros(len(SEEDS)), np.zeros(len(SEEDS), np.int64)
    over = truncated = np.zeros(len(SEEDS), np.bool_)
    while not over.all():
        actions = [
            gait.step_heuristic(observation)  # type: ignore[no-untyped-call]
            for gait, observation in zip(gaits, observations, strict=True)
        ]
        steps += ~over
        observations, rewards, terminated, truncated, _ = envs.step(np.array(actions, np.float32))
        totals += rewards
        over = terminated | truncated
    hulls = envs.state_dict()["worlds"]["parts"]["p_x"][:, 0]
    columns = (totals.tolist(), steps.tolist(), truncated.tolist(), hulls.tolist())
    return [Episode(*row) for row in zip(*columns, strict=True)]


# In the environment of Portelas et al. this gait stands still on the start pad for the whole episode. Where
# both feet stand on a joint of two edges at the start, and have contacts with both, it walks off.
def test_gymnasiums_gait_stands_still_as_in_the_authors_environment() -> None:
    episodes = [one_at_a_time(seed) for seed in SEEDS]
    for episode in episodes:
        assert (episode.steps, episode.truncated) == (2000, True)
        assert episode.total == pytest.approx(-45, abs=5)
        assert episode.hull_x == pytest.approx(6.4, abs=0.1)
    assert all_at_once() == episodes
