"""Scenarios that are played both in the CPU's engine and on a GPU, real or simulated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from chiron.envs.walkers.engine.vector_env import EngineError, WalkerVectorEnv
from chiron.envs.walkers.hexagon_tracks import HexagonTracks
from chiron.envs.walkers.open_ended_tracks import OpenEndedTracks
from chiron.envs.walkers.stump_sequence import StumpSequence
from chiron.envs.walkers.stump_tracks import StumpTracks
from chiron.envs.walkers.track import GROUND_LEVEL, Track
from chiron.envs.walkers.walker_env import WalkerEnv

from tests.envs.engine_cases import POLICIES, TRACKS, WALKERS, flat_track

NewWalkers = Callable[..., WalkerVectorEnv]
"""Class of the vector env, called as `WalkerVectorEnv(env, num_envs, action_repeat=1)`."""


def states_on_the_way(body: str) -> dict[str, Any]:
    """Walkers on all kinds of tracks, some standing, some falling, some on the ground."""
    rng = np.random.default_rng(0)
    env = StumpTracks(body=WALKERS[body])
    walkers = WalkerVectorEnv(env, len(TRACKS))
    tracks = [make_track(rng) for make_track in TRACKS.values()]
    observed = walkers.start(range(len(tracks)), tracks, rng.uniform(-5, 5, len(tracks)).tolist())
    policies = [list(POLICIES.values())[i % 3](len(env.body.joints)) for i in range(len(tracks))]
    for _ in range(70):
        actions = [policy(rng, sight) for policy, sight in zip(policies, observed, strict=True)]
        observed = walkers.step(np.stack(actions))[0]
    return walkers.state_dict()


def go_on(new_walkers: NewWalkers, body: str, state: Any, steps: int) -> list[Any]:
    """Load a state, and continue from it."""
    walkers = new_walkers(StumpTracks(body=WALKERS[body]), len(state["worlds"]))
    walkers.load_state_dict(state)
    rng = np.random.default_rng(1)
    played: list[Any] = []
    for _ in range(steps):
        actions = rng.uniform(-1.2, 1.2, walkers.action_space.shape or ()).astype(np.float32)
        played.append(walkers.step(actions))
    return [*played, walkers.state_dict()]


def go_on_as_default(new_walkers: NewWalkers, states: dict[str, Any]) -> list[Any]:
    return go_on(new_walkers, "default", states["default"], steps=4)


def go_on_as_quadruped(new_walkers: NewWalkers, states: dict[str, Any]) -> list[Any]:
    return go_on(new_walkers, "quadruped", states["quadruped"], steps=2)


def reset_into_tasks(new_walkers: NewWalkers, states: dict[str, Any]) -> list[Any]:
    """Resets of all slots and of one slot, in several envs."""
    played: list[Any] = []
    envs: list[WalkerEnv] = [StumpTracks(), HexagonTracks(), StumpSequence(), OpenEndedTracks(body="short")]
    for env in envs:
        rng = np.random.default_rng(2)
        walkers = new_walkers(env, 2)
        tasks = env.task_space.sample(rng, 2)
        played.append(walkers.reset(seed=3, options={"task": tasks}))
        played.append(walkers.reset(options={"task": tasks, "reset_mask": np.array([False, True])}))
        played.append(walkers.state_dict())
    return played


def _near_the_end(state: dict[str, Any], time_limit: int) -> dict[str, Any]:
    envs = state["worlds"].copy()
    envs["steps"][1] = time_limit - 2
    return {**state, "worlds": envs}


def repeat_actions(new_walkers: NewWalkers, states: dict[str, Any]) -> list[Any]:
    """Actions held for three steps; one walker reaches its time limit before the last."""
    walkers = new_walkers(StumpTracks(body=WALKERS["default"]), len(TRACKS), action_repeat=3)
    walkers.load_state_dict(_near_the_end(states["default"], walkers.env.time_limit))
    actions = np.random.default_rng(4).uniform(-1, 1, walkers.action_space.shape or ()).astype(np.float32)
    return [walkers.step(actions), walkers.state_dict()]


def repeat_actions_on_device(new_walkers: NewWalkers, states: dict[str, Any]) -> list[Any]:
    """As before, but with torch tensors on a GPU."""
    walkers = new_walkers(StumpTracks(body=WALKERS["default"]), len(TRACKS), action_repeat=3)
    walkers.load_state_dict(_near_the_end(states["default"], walkers.env.time_limit))
    actions = np.random.default_rng(4).uniform(-1, 1, walkers.action_space.shape or ()).astype(np.float32)
    if not hasattr(walkers, "step_on_device"):
        return list(walkers.step(actions))
    results = walkers.step_on_device(torch.from_numpy(actions))
    assert results[0].data_ptr() == walkers.tensors.observations.data_ptr()  # type: ignore[attr-defined]
    infos = {name: value.cpu().numpy().copy() for name, value in results[4].items()}
    return [*(part.cpu().numpy().copy() for part in results[:4]), infos]


def grow(new_walkers: NewWalkers, states: dict[str, Any]) -> list[Any]:
    """A track with more of everything than the arrays initially hold."""
    walkers = new_walkers(StumpTracks(), 2)
    walkers.start([0], [flat_track(np.random.default_rng(0))], [1.0])
    points = np.stack([np.arange(350) * 0.3, np.full(350, GROUND_LEVEL)], axis=1).astype(np.float32)
    blocks = tuple(
        np.array([[x, 3.3], [x + 0.1, 3.3], [x + 0.1, 3.4], [x, 3.4]], np.float32)
        for x in np.arange(12, 80, 0.5)
    )
    return [walkers.start([1], [Track(points, blocks)], [1.0]), walkers.state_dict()]


def fail(new_walkers: NewWalkers, states: dict[str, Any]) -> list[Any]:
    """Messages of the errors for cases that cannot be computed."""
    ground = np.array([[0, GROUND_LEVEL], [100, GROUND_LEVEL]], np.float32)
    line = np.array([[9, 4], [10, 4], [11, 4]], np.float32)
    flat = flat_track(np.random.default_rng(0))
    bad = [Track(ground, (line,)), Track(ground[[0, 0, 1]], ())]
    words = []
    for track in bad:
        walkers = new_walkers(StumpTracks(), 2)
        try:
            walkers.start([0, 1], [flat, track], [0.0, 0.0])
        except EngineError as error:
            words.append(str(error))
    walkers = new_walkers(StumpTracks(), 2)
    # A single edge, because a walker at NaN touches all edges.
    walkers.start([0, 1], [Track(ground, ())] * 2, [0.0, 0.0])
    actions = np.zeros((2, 4), np.float32)
    actions[1, 2] = np.nan
    try:
        walkers.step(actions)
    except EngineError as error:
        words.append(str(error))
    try:
        walkers.step(actions)
    except RuntimeError as error:
        words.append(str(error))
    return words


SCENARIOS: dict[str, Callable[[NewWalkers, dict[str, Any]], list[Any]]] = {
    scenario.__name__: scenario
    for scenario in (
        go_on_as_default,
        go_on_as_quadruped,
        reset_into_tasks,
        repeat_actions,
        repeat_actions_on_device,
        grow,
        fail,
    )
}


def assert_same(given: Any, expected: Any, where: str = "") -> None:
    """Compare whatever scenarios return, to the last bit."""
    if isinstance(expected, dict):
        assert given.keys() == expected.keys(), where
        for key in expected:
            assert_same(given[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, (list, tuple)):
        assert len(given) == len(expected), where
        for i, (one, other) in enumerate(zip(given, expected, strict=True)):
            assert_same(one, other, f"{where}[{i}]")
    elif isinstance(expected, np.ndarray) and expected.dtype.names:
        for name in expected.dtype.names:
            assert_same(given[name], expected[name], f"{where}.{name}")
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(given, expected, where)
    else:
        assert given == expected, where
