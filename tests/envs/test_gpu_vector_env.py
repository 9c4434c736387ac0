"""The GPU engine compared with the CPU's: in Numba's CUDA simulator, and on a GPU if there is one."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch
from chiron import make_run
from chiron.envs.vector.make_vec import make_vec
from chiron.envs.walkers.engine.vector_env import WalkerVectorEnv
from chiron.envs.walkers.stump_tracks import StumpTracks
from chiron.teachers import ALPGMM
from stable_baselines3 import PPO

from tests.envs.gpu_cases import SCENARIOS, assert_same, states_on_the_way
from tests.gpu import needs_gpu_engine

pytestmark = pytest.mark.medium

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def states() -> dict[str, Any]:
    return {body: states_on_the_way(body) for body in ("default", "quadruped")}


@pytest.fixture(scope="module")
def simulated(states: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Results of the scenarios in the simulator."""
    folder = tmp_path_factory.mktemp("simulated")
    (folder / "states").write_bytes(pickle.dumps(states))
    subprocess.run(
        [sys.executable, "-m", "tests.envs.simulated_gpu", folder / "states", folder / "results"],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"},
        cwd=ROOT,
        check=True,
    )
    results: dict[str, list[Any]] = pickle.loads((folder / "results").read_bytes())
    return results


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_simulated_threads_compute_what_the_cpu_does(
    name: str, states: dict[str, Any], simulated: dict[str, list[Any]]
) -> None:
    assert_same(simulated[name], SCENARIOS[name](WalkerVectorEnv, states))


@needs_gpu_engine
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_gpu_computes_what_the_cpu_does(name: str, states: dict[str, Any]) -> None:
    from chiron.envs.walkers.engine.gpu_vector_env import GpuWalkerVectorEnv

    assert_same(SCENARIOS[name](GpuWalkerVectorEnv, states), SCENARIOS[name](WalkerVectorEnv, states))


@needs_gpu_engine
def test_tensors_stay_where_the_engine_wrote_them() -> None:
    envs: Any = StumpTracks(engine="cuda").batch(64)
    twin = WalkerVectorEnv(StumpTracks(), 64)
    assert_same(envs.reset(seed=0), twin.reset(seed=0))
    for step in range(200):
        actions = torch.rand((64, 4), generator=torch.Generator().manual_seed(step)) * 2 - 1
        given = envs.step_on_device(actions.cuda())
        expected = twin.step(actions.numpy())
        assert_same([part.cpu().numpy() for part in given[:4]], list(expected[:4]))
        assert given[0].data_ptr() == envs.tensors.observations.data_ptr()


@needs_gpu_engine
def test_a_run_with_the_gpus_engine_is_the_cpus(tmp_path: Path) -> None:
    episodes = []
    for engine in ("batched", "cuda"):
        run = make_run(
            partial(StumpTracks, engine=engine),
            ALPGMM,
            partial(PPO, "MlpPolicy", n_steps=32, batch_size=64, n_epochs=1),
            tmp_path / engine,
            total_steps=8192,
            n_envs=16,
            n_workers=0,
            device="cpu",
            evaluation={"every_steps": 4096, "n_tasks": 3},
            checkpoint={"every_minutes": None},
        )
        run.execute()
        episodes.append(run.directory.read_episodes())
    assert len(episodes[0]) > 16
    assert episodes[0].equals(episodes[1])


@pytest.mark.skipif(not needs_gpu_engine.args[0], reason="there is a GPU")
def test_without_a_gpu_it_is_refused_in_a_sentence() -> None:
    def on_gpu() -> StumpTracks:
        return StumpTracks(engine="cuda")

    # As requested by `make_vec`, and by `gymnasium.make_vec`.
    with pytest.raises(ValueError, match=r"engine=cuda needs an NVIDIA GPU.*chiron-curricula\[cuda\]"):
        make_vec([on_gpu] * 2, n_workers=0)
    with pytest.raises(ValueError, match="engine=batched computes the same without"):
        gym.make_vec("chiron/StumpTracks-v0", 2, engine="cuda")


def test_envs_of_box2d_are_not_batched() -> None:
    with pytest.raises(ValueError, match="engine='box2d' steps envs one by one"):
        gym.make_vec("chiron/StumpTracks-v0", 2, engine="box2d")
