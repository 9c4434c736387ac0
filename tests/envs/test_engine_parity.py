"""The batched engine compared with Box2D: every number of every step, to the last bit."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
from chiron.envs.walkers.engine.layout import MAX_ROWS
from chiron.envs.walkers.engine.vector_env import WalkerVectorEnv
from chiron.envs.walkers.stump_tracks import StumpTracks
from numpy.typing import NDArray

from tests.envs.engine_cases import POLICIES, TRACKS, WALKERS, MakePolicy, leaning_stumps, train_policy

pytestmark = pytest.mark.medium

_TRAINING_STEPS = 200_000


def box2d_state(env: StumpTracks) -> NDArray[np.float64]:
    assert env._simulation is not None
    parts: list[Any] = env._simulation._parts
    return np.array(
        [[*part.position, part.angle, *part.linearVelocity, part.angularVelocity] for part in parts]
    )


def engine_states(batch: WalkerVectorEnv) -> NDArray[np.float64]:
    """Positions and velocities in all slots, shape (n, parts, 6)."""
    parts = batch.state_dict()["worlds"]["parts"][:, : len(batch.env.body.parts)]
    return np.stack([parts[name] for name in ("p_x", "p_y", "a", "v_x", "v_y", "w")], axis=2)


def go_on_after_the_end(batch: WalkerVectorEnv) -> dict[str, Any]:
    """Allow stepping walkers whose episodes are over; returns the state of all."""
    state = batch.state_dict()
    state["terminated"][:] = False
    batch.load_state_dict(state)
    return state


def compare(
    body_name: str, steps: int, seed: int, makers: Mapping[str, MakePolicy] = POLICIES
) -> dict[tuple[str, str], int]:
    """Play episodes in both engines, in one slot for each kind of track and policy.

    Returns:
        Number of compared steps by kind of track and policy.
    """
    body = WALKERS[body_name]
    joints = len(body.joints)
    # More than a block of lanes, so that some envs are solved side by side and some one by one.
    cases = list(product(TRACKS, makers))
    slots_of = range(len(cases))
    batch = WalkerVectorEnv(StumpTracks(body=body), len(cases))
    references = [StumpTracks(body=body) for _ in cases]
    rngs = [np.random.default_rng([seed, slot]) for slot in slots_of]
    policies = [makers[policy](joints) for _, policy in cases]
    observations = np.zeros(batch.observation_space.shape or (), np.float32)
    finished = np.ones(len(cases), np.bool_)
    compared = dict.fromkeys(cases, 0)
    while sum(compared.values()) < steps:
        slots = np.flatnonzero(finished).tolist()
        if slots:
            tracks = [TRACKS[cases[slot][0]](rngs[slot]) for slot in slots]
            forces = [float(rngs[slot].uniform(-5, 5)) for slot in slots]
            observed = batch.start(slots, tracks, forces)
            for i, slot in enumerate(slots):
                policies[slot] = makers[cases[slot][1]](joints)
                observations[slot] = references[slot].start(tracks[i], forces[i])
                np.testing.assert_array_equal(observed[slot], observations[slot])
        actions = np.stack([policies[slot](rngs[slot], observations[slot]) for slot in slots_of])
        observed, rewards, terminated, truncated, _ = batch.step(actions)
        states = engine_states(batch)
        for slot, reference in enumerate(references):
            expected = reference.step(actions[slot])
            where = f"{cases[slot]} with {body_name}"
            np.testing.assert_array_equal(states[slot], box2d_state(reference), where)
            np.testing.assert_array_equal(observed[slot], expected[0], where)
            assert (rewards[slot], terminated[slot], truncated[slot]) == expected[1:4], where
            observations[slot] = expected[0]
            finished[slot] = expected[2] or expected[3]
            compared[cases[slot]] += 1
    return compared


@pytest.mark.parametrize("body_name", list(WALKERS))
def test_every_number_is_box2ds(body_name: str) -> None:
    compare(body_name, steps=8200, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("body_name", list(WALKERS))
def test_every_number_is_box2ds_for_long(body_name: str) -> None:
    makers = {**POLICIES, "trained": train_policy(WALKERS[body_name], _TRAINING_STEPS)}
    compared = compare(body_name, steps=94_000, seed=1, makers=makers)
    assert min(compared.values()) > 3000


@pytest.mark.parametrize("body_name", list(WALKERS))
def test_among_the_narrowest_stumps(body_name: str) -> None:
    """Hundreds of pairs of part and stump are near each other: more than lanes have rows for."""
    body, rng = WALKERS[body_name], np.random.default_rng(0)
    batch, reference = WalkerVectorEnv(StumpTracks(body=body), 1), StumpTracks(body=body)
    track = leaning_stumps(rng)
    batch.start([0], [track], [3.0])
    reference.start(track, 3.0)
    most = 0
    for _ in range(40):
        actions = rng.uniform(-1, 1, (1, len(body.joints))).astype(np.float32)
        state = go_on_after_the_end(batch)
        most = max(most, int(state["worlds"]["contact_count"].max()))
        observed, *_ = batch.step(actions)
        expected, *_ = reference.step(actions[0])
        np.testing.assert_array_equal(engine_states(batch)[0], box2d_state(reference))
        np.testing.assert_array_equal(observed[0], expected)
    assert most > 2 * MAX_ROWS


def test_a_fallen_walker_falls_asleep_and_wakes_as_in_box2d() -> None:
    body, rng = WALKERS["default"], np.random.default_rng(0)
    batch, reference = WalkerVectorEnv(StumpTracks(body=body), 1), StumpTracks(body=body)
    track = TRACKS["rough"](rng)
    batch.start([0], [track], [3.0])
    reference.start(track, 3.0)
    slept = 0
    for step in range(500):
        # A push at the start to fall, and a later one to wake up.
        pushed = step < 20 or 400 <= step < 410
        actions = rng.uniform(-1, 1, (1, len(body.joints))).astype(np.float32) * pushed
        go_on_after_the_end(batch)
        observed, *_ = batch.step(actions)
        expected, *_ = reference.step(actions[0])
        np.testing.assert_array_equal(observed[0], expected, f"step {step}")
        np.testing.assert_array_equal(engine_states(batch)[0], box2d_state(reference), f"step {step}")
        slept += not batch.state_dict()["worlds"]["parts"]["awake"][0, 0]
    assert slept > 0
