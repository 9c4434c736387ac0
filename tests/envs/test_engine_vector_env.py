from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from chiron.envs.env_info import env_info
from chiron.envs.vector.action_repeat import ActionRepeat
from chiron.envs.vector.make_vec import make_vec
from chiron.envs.vector.sync_vector_env import SyncTaskVectorEnv
from chiron.envs.walkers.engine.engine import step_worlds
from chiron.envs.walkers.engine.layout import LANES
from chiron.envs.walkers.engine.vector_env import EngineError, WalkerVectorEnv
from chiron.envs.walkers.stump_tracks import StumpTracks
from chiron.envs.walkers.track import GROUND_LEVEL, Track
from chiron.envs.walkers.walker_body import legged_body
from chiron.runs.state_file import load_state, save_state
from chiron.students.curriculum_vec_env import CurriculumVecEnv
from chiron.teachers.curriculum import Curriculum
from chiron.teachers.random import Random
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from tests.envs.engine_cases import flat_track
from tests.envs.results import assert_same


def new_batch(slots: int = 3) -> WalkerVectorEnv:
    return WalkerVectorEnv(StumpTracks(), slots)


def random_actions(rng: np.random.Generator, slots: int) -> NDArray[np.float32]:
    return rng.uniform(-1, 1, (slots, 4)).astype(np.float32)


class TestContract:
    def test_gives_what_the_loop_gives(self) -> None:
        slots, rng = 4, np.random.default_rng(0)
        batch, loop = new_batch(slots), SyncTaskVectorEnv([StumpTracks] * slots)
        space = StumpTracks.task_space()
        tasks = space.sample(rng, slots)
        assert_same(batch.reset(seed=5, options={"task": tasks}), loop.reset(seed=5, options={"task": tasks}))
        mask = np.zeros(slots, np.bool_)
        for step in range(400):
            actions = random_actions(rng, slots)
            given, expected = batch.step(actions), loop.step(actions)
            assert_same(given, expected)
            mask = given[2] | given[3]
            # Finished slots wait until another one has finished.
            if mask.sum() >= 2:
                tasks = space.sample(rng, slots)
                # Every other time, slots continue with their own generators.
                seeds = [None] * slots if step % 2 else list(range(step, step + slots))
                options = {"reset_mask": mask, "task": tasks}
                assert_same(
                    batch.reset(seed=seeds, options=options),
                    loop.reset(seed=seeds, options=options),  # type: ignore[arg-type]
                )

    def test_declares_itself(self) -> None:
        batch = new_batch(2)
        assert batch.metadata["autoreset_mode"] == AutoresetMode.DISABLED
        assert batch.observation_space.shape == (2, 24)
        assert batch.task_space.columns == ["stump_height", "obstacle_spacing"]
        assert batch.mastered_return == 230.0

    def test_is_registered(self) -> None:
        made = gym.make_vec(
            "chiron/StumpTracks-v0", 2, vectorization_mode="vector_entry_point", stump_height=(0, 1)
        )
        assert isinstance(made.unwrapped, WalkerVectorEnv)
        assert made.unwrapped.task_space.high.tolist() == [1, 6]
        assert gym.make("chiron/StumpTracks-v0").spec.to_json()  # type: ignore[union-attr]

    def test_a_curriculum_drives_it_as_it_drives_the_loop(self) -> None:
        def play(envs: Any) -> list[tuple[Any, ...]]:
            info, rng = env_info(envs), np.random.default_rng(0)
            curriculum = Curriculum(Random(info.task_space, seed=0), info, seed=1)
            vector = CurriculumVecEnv(envs, curriculum)
            steps: list[tuple[Any, ...]] = [(vector.reset(),)]
            for _ in range(150):
                observations, rewards, dones, infos = vector.step(random_actions(rng, 3))
                ends = [info.get("episode", {}).get("r") for info in infos]
                steps.append((observations, rewards, dones, ends))
            assert info.mastered_return == 230.0
            return steps

        for given, expected in zip(
            play(new_batch(3)), play(SyncTaskVectorEnv([StumpTracks] * 3)), strict=True
        ):
            assert_same(given, expected)

    def test_repeats_actions_as_the_wrapper_does(self) -> None:
        def slow_env() -> gym.Env[Any, Any]:
            return ActionRepeat(StumpTracks(engine="batched"), 4)

        batch, loop = make_vec([slow_env] * 4, n_workers=2), SyncTaskVectorEnv([slow_env] * 4)
        assert isinstance(batch, WalkerVectorEnv)
        assert_same(batch.reset(seed=0), loop.reset(seed=0))
        rng = np.random.default_rng(1)
        for _ in range(60):
            actions = random_actions(rng, 4)
            given, expected = batch.step(actions), loop.step(actions)
            assert_same(given, expected)
            if (ended := given[2] | given[3]).any():
                options = {"reset_mask": ended}
                assert_same(batch.reset(seed=7, options=options), loop.reset(seed=7, options=options))

    def test_results_do_not_depend_on_the_number_of_threads(self) -> None:
        slots = 5 * LANES
        one, two = (WalkerVectorEnv(StumpTracks(), slots, n_threads) for n_threads in (1, 2))
        assert_same(one.reset(seed=0), two.reset(seed=0))
        for step in range(20):
            actions = random_actions(np.random.default_rng(step), slots)
            assert_same(one.step(actions), two.step(actions))

    @pytest.mark.parametrize("name", ["num_envs", "n_threads", "action_repeat"])
    def test_nothing_of_it_may_be_none(self, name: str) -> None:
        sizes = {"num_envs": 1, "n_threads": 1, "action_repeat": 1, name: 0}
        with pytest.raises(ValueError, match=f"{name}=0 must be at least 1"):
            WalkerVectorEnv(StumpTracks(), **sizes)

    def test_one_task_serves_all_slots(self) -> None:
        task = {"stump_height": 0.5, "obstacle_spacing": 4.0}
        _, one = new_batch().reset(seed=0, options={"task": task})
        _, rows = new_batch().reset(seed=0, options={"task": [0.5, 4.0]})
        assert_same([one], [rows])
        assert one["task"].tolist() == [[0.5, 4.0]] * 3

    def test_other_slots_are_left_alone(self) -> None:
        batch = new_batch()
        batch.reset(seed=0)
        before, _, _, _, _ = batch.step(random_actions(np.random.default_rng(0), 3))
        after, info = batch.reset(seed=9, options={"reset_mask": np.array([False, True, False])})
        np.testing.assert_array_equal(before[[0, 2]], after[[0, 2]])
        assert info["_task"].tolist() == [False, True, False]

    def test_returned_arrays_are_the_callers_own(self) -> None:
        batch = new_batch()
        first, _ = batch.reset(seed=0)
        copy = first.copy()
        batch.step(np.zeros((3, 4)))
        np.testing.assert_array_equal(first, copy)

    def test_leaves_torchs_threads_alone(self) -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        slots = 8 * LANES
        batch = new_batch(slots)
        batch.reset(seed=0)
        batch.step(np.zeros((slots, 4)))
        assert torch.get_num_threads() == 1
        torch.set_num_threads(before)


class TestState:
    def test_a_restored_state_goes_on_bit_for_bit(self) -> None:
        rng = np.random.default_rng(3)
        batch = new_batch(5)
        batch.reset(seed=1, options={"task": StumpTracks.task_space().sample(rng, 5)})
        for _ in range(30):
            batch.step(random_actions(rng, 5))
        state = pickle.loads(pickle.dumps(batch.state_dict()))
        actions = [random_actions(rng, 5) for _ in range(40)]
        expected = [batch.step(action) for action in actions]
        expected_reset = batch.reset()

        other = new_batch(5)
        other.load_state_dict(state)
        for action, step in zip(actions, expected, strict=True):
            assert_same(other.step(action), step)
        assert_same(other.reset(), expected_reset)

    def test_a_state_from_a_file_does_not_make_the_engine_compile_again(self, tmp_path: Path) -> None:
        batch, rng = new_batch(), np.random.default_rng(0)
        batch.reset(seed=0)
        save_state(tmp_path / "state", batch.state_dict())
        batch.load_state_dict(load_state(tmp_path / "state"))
        entry: Any = step_worlds
        compiled = len(entry.signatures)
        batch.step(random_actions(rng, 3))
        assert len(entry.signatures) == compiled

    def test_a_state_of_other_slots_is_refused(self) -> None:
        with pytest.raises(ValueError, match="2 slots"):
            new_batch(3).load_state_dict(new_batch(2).state_dict())


class TestBadInput:
    def test_step_before_reset(self) -> None:
        batch = new_batch()
        batch.reset(seed=0, options={"reset_mask": np.array([True, False, True])})
        with pytest.raises(RuntimeError, match=r"call reset\(\) before step\(\): slot 1"):
            batch.step(np.zeros((3, 4)))

    @pytest.mark.parametrize(
        ("seed", "options", "message"),
        [
            ([1, 2], {}, "list of num_envs=3, got 2"),
            (0, {"reset_mask": np.ones(2, np.bool_)}, r"shape \(3,\)"),
            (0, {"reset_mask": np.zeros(3, np.bool_)}, "at least one True"),
            (0, {"reset_mask": np.ones(3)}, "bool array"),
            (0, {"task": np.zeros((2, 2))}, r"shape \(3, 2\), got \(2, 2\)"),
            (0, {"task": [[1, 1], [9, 1], [1, 1]]}, r"slot 1: task stump_height=9 must lie in \[0, 3\]"),
            (0, {"task": [1, np.nan]}, "obstacle_spacing"),
        ],
    )
    def test_reset_refuses(self, seed: Any, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            new_batch().reset(seed=seed, options=options)

    def test_slots_out_of_range(self) -> None:
        track = flat_track(np.random.default_rng(0))
        with pytest.raises(IndexError, match=r"slots \[3\] must lie in \[0, 3\)"):
            new_batch().start([3], [track], [0.0])
        with pytest.raises(ValueError, match="different slots"):
            new_batch().start([1, 1], [track, track], [0.0, 0.0])

    def test_a_state_that_is_not_finite_is_named(self) -> None:
        batch = new_batch()
        batch.reset(seed=0)
        actions = np.zeros((3, 4), np.float32)
        batch.step(actions)
        actions[2, 1] = np.nan
        with pytest.raises(EngineError, match=r"slot 2 is not finite any more, at step 2 .*stump_height"):
            batch.step(actions)

    def test_bad_tracks(self) -> None:
        ground = np.array([[0, GROUND_LEVEL], [100, GROUND_LEVEL]], np.float32)
        line = np.array([[9, 4], [10, 4], [11, 4]], np.float32)
        angles = np.linspace(0, 2 * np.pi, 10)[:-1]
        round_one = np.stack([9 + np.cos(angles), 4 + np.sin(angles)], axis=1).astype(np.float32)
        for obstacle in (line, round_one):
            with pytest.raises(EngineError, match="slot 1 has an obstacle that is not a convex polygon"):
                new_batch().start([1], [Track(ground, (obstacle,))], [0.0])
        with pytest.raises(EngineError, match="slot 0 has ground points that do not increase"):
            new_batch().start([0], [Track(ground[[0, 0, 1]], ())], [0.0])

    def test_more_contacts_than_there_is_room_for(self) -> None:
        ground = np.array([[0, GROUND_LEVEL], [100, GROUND_LEVEL]], np.float32)
        block = np.array([[0, 3.2], [9, 3.2], [9, 3.3], [0, 3.3]], np.float32)
        with pytest.raises(EngineError, match="slot 0 has more than 2048 contacts"):
            new_batch().start([0], [Track(ground, (block,) * 2050)], [0.0])

    def test_bodies_beyond_the_arrays(self) -> None:
        centipede = legged_body("centipede", ((-9, -9), (9, -9), (0, 9)), 9, 3, 9, (0.0,) * 5, 80.0, 0.0)
        with pytest.raises(ValueError, match="'centipede' has 21 parts"):
            WalkerVectorEnv(StumpTracks(body=centipede), 1)

    def test_tracks_longer_than_the_arrays_make_them_grow(self) -> None:
        rng = np.random.default_rng(0)
        batch, reference = new_batch(), StumpTracks()
        points = np.stack([np.arange(350) * 0.3, np.full(350, GROUND_LEVEL)], axis=1).astype(np.float32)
        blocks = tuple(
            np.array([[x, 3.3], [x + 0.1, 3.3], [x + 0.1, 3.4], [x, 3.4]], np.float32)
            for x in np.arange(12, 80, 0.5)
        )
        track = Track(points, blocks)
        batch.reset(seed=0)
        observed = batch.start([1], [track], [1.0])
        np.testing.assert_array_equal(observed[1], reference.start(track, 1.0))
        for _ in range(30):
            actions = random_actions(rng, 3)
            np.testing.assert_array_equal(batch.step(actions)[0][1], reference.step(actions[1])[0])
