"""Is it the published point mass, and do its batches play as it does?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.envs import PointMass, make_vec
from chiron.envs.point_mass import PointMassVectorEnv
from chiron.envs.vector.action_repeat import ActionRepeat
from chiron.envs.vector.sync_vector_env import SyncTaskVectorEnv
from chiron.runs.state_file import load_state, save_state
from numpy.typing import NDArray

from tests.envs.results import assert_same


def through_the_gate(observation: NDArray[np.float32]) -> NDArray[np.float32]:
    """A hand-written policy: to the height of the gate, through it, to the goal."""
    x, speed_x, y, speed_y, gate, _ = observation.astype(np.float64)
    is_lined_up = abs(x - gate) < 0.15 and abs(speed_x) < 0.8
    goal = (gate, 2.5 if not is_lined_up else -3.0) if y > -0.3 else (0.0, -3.0)
    force = [6 * (goal[0] - x) - 3.5 * speed_x, 6 * (goal[1] - y) - 3.5 * speed_y]
    return np.array(force, dtype=np.float32).clip(-10, 10)


def straight_to_the_goal(observation: NDArray[np.float32]) -> NDArray[np.float32]:
    x, speed_x, y, speed_y, *_ = observation.astype(np.float64)
    force = [-6 * x - 3.5 * speed_x, 6 * (-3 - y) - 3.5 * speed_y]
    return np.array(force, dtype=np.float32).clip(-10, 10)


def play(policy: Any, task: Any, **arguments: Any) -> tuple[float, dict[str, Any], int, bool]:
    env = PointMass(**arguments)
    observation, _ = env.reset(seed=0, options={"task": task})
    total = 0.0
    for step in range(1, 1000):
        observation, reward, terminated, truncated, info = env.step(policy(observation))
        total += reward
        if terminated or truncated:
            return total, info, step, terminated
    raise AssertionError("the episode does not end")


class TestEpisodes:
    @pytest.mark.parametrize("gate", [-3.0, 3.0])
    def test_a_narrow_gate_at_the_side_can_be_mastered(self, gate: float) -> None:
        total, info, steps, crashed = play(through_the_gate, [gate, 0.5])
        assert (info["is_success"], steps, crashed) == (True, 100, False)
        assert total > 66

    def test_heading_straight_for_the_goal_crashes_into_the_wall_beside_the_gate(self) -> None:
        total, info, steps, crashed = play(straight_to_the_goal, [3.0, 0.5])
        assert (info["is_success"], crashed) == (False, True)
        assert steps < 20
        assert total < 3
        assert play(straight_to_the_goal, [0.0, 8.0])[1]["is_success"]

    def test_without_action_an_episode_lasts_a_hundred_steps_before_the_wall(self) -> None:
        total, info, steps, crashed = play(lambda _: np.zeros(2, np.float32), [0.0, 4.0])
        assert (steps, crashed, info["is_success"]) == (100, False, False)
        assert total == pytest.approx(100 * np.exp(-0.6 * 6), rel=0.1)

    def test_a_crash_ends_where_the_wall_is_crossed(self) -> None:
        env = PointMass()
        env.reset(seed=0, options={"task": [3.0, 0.5]})
        for _ in range(20):
            observation, *_, terminated, _, _ = env.step(np.array([0, -10], np.float32))
            if terminated:
                break
        assert observation[1:4].tolist() == [0, 0, 0]

    def test_the_first_step_is_the_published_dynamics(self) -> None:
        env = PointMass(friction=0.5)
        env.reset(seed=3, options={"task": [1.0, 2.0]})
        env.np_random.bit_generator.state = np.random.default_rng(5).bit_generator.state
        observation, reward, *_ = env.step(np.array([20, -4], np.float32))
        noise = np.random.default_rng(5).normal(0, 0.05, (10, 2))
        position, speed = np.array([0.0, 3.0]), np.zeros(2)
        for i in range(10):
            acceleration = 1.5 * np.array([10, -4]) - 0.5 * speed + noise[i]
            position, speed = position + 0.01 * speed, speed + 0.01 * acceleration
        np.testing.assert_allclose(observation[[0, 2, 1, 3]], [*position, *speed], rtol=1e-6)
        assert observation[4:].tolist() == [1.0, 2.0]
        assert reward == pytest.approx(np.exp(-0.6 * np.hypot(position[0], position[1] + 3)))

    def test_any_of_the_parameters_can_be_the_task(self) -> None:
        env = PointMass(gate_position=2.0, friction=[0, 1])
        assert env.task_space.columns == ["gate_width", "friction"]
        assert env.reset(seed=0)[0].shape == env.observation_space.shape == (6,)
        with pytest.raises(ValueError, match="must have bounds"):
            PointMass(gate_position=0.0, gate_width=1.0)


class TestBatches:
    @pytest.mark.parametrize("repeat", [1, 3])
    def test_play_what_each_env_plays_alone(self, repeat: int) -> None:
        slots, rng = 5, np.random.default_rng(0)
        batch = PointMass().batch(slots, action_repeat=repeat)
        loop = SyncTaskVectorEnv([lambda: ActionRepeat(PointMass(), repeat)] * slots)
        mask = np.ones(slots, np.bool_)
        episodes = 0
        for step in range(400):
            if mask.any():
                tasks = batch.task_space.sample(rng, slots)
                seeds = [None] * slots if step % 2 else list(range(step, step + slots))
                options = {"reset_mask": mask, "task": tasks}
                assert_same(
                    batch.reset(seed=seeds, options=options),
                    loop.reset(seed=seeds, options=options),  # type: ignore[arg-type]
                )
                episodes += int(mask.sum())
            actions = rng.uniform(-12, 12, (slots, 2)).astype(np.float32)
            given = batch.step(actions)
            assert_same(given, loop.step(actions))
            mask = given[2] | given[3]
            mask &= mask.sum() >= 2  # finished slots wait until another one has finished
        assert episodes > 20

    def test_are_what_make_vec_makes(self) -> None:
        assert isinstance(make_vec([PointMass] * 2), PointMassVectorEnv)
        assert isinstance(make_vec([PointMass, lambda: PointMass(friction=1.0)]), SyncTaskVectorEnv)

        class Generous(PointMass):
            def step(self, action: Any) -> Any:
                return super().step(action)

        assert isinstance(make_vec([Generous] * 2), SyncTaskVectorEnv)
        with pytest.raises(ValueError, match="has a reset or step of its own"):
            Generous().batch(2)

    def test_go_on_from_a_saved_state_bit_for_bit(self, tmp_path: Path) -> None:
        batch, other = PointMass().batch(4), PointMass().batch(4)
        rng = np.random.default_rng(0)
        batch.reset(seed=7, options={"task": batch.task_space.sample(rng, 4)})
        for _ in range(30):
            batch.step(rng.uniform(-10, 10, (4, 2)).astype(np.float32))
        save_state(tmp_path / "state", batch.state_dict())
        other.load_state_dict(load_state(tmp_path / "state"))
        for _ in range(30):
            actions = rng.uniform(-10, 10, (4, 2)).astype(np.float32)
            assert_same(batch.step(actions), other.step(actions))
        with pytest.raises(ValueError, match="the state has 4 slots, this vector env 3"):
            PointMass().batch(3).load_state_dict(batch.state_dict())

    def test_want_a_reset_first(self) -> None:
        with pytest.raises(RuntimeError, match="call reset"):
            PointMass().batch(2).step(np.zeros((2, 2), np.float32))
        with pytest.raises(RuntimeError, match="call reset"):
            PointMass().step(np.zeros(2, np.float32))
