from __future__ import annotations

from pathlib import Path

import pytest
from chiron.runs.watch import no_student

from tests.commands import Finished, run_here
from tests.listing import build_env

FROZEN_LAKE = """
_target_: chiron.envs.gymnasium_env.GymnasiumEnv
env_id: FrozenLake-v1
parameters:
  map: {argument: map_name, levels: [4x4, 8x8]}
  success_rate: {argument: success_rate, value: [0.4, 0.9], easy: high, default: 0.5}
return_range: [0, 1]
mastered_return: 0.5
"""


def check(folder: Path, yaml: str) -> Finished:
    (folder / "conf" / "env").mkdir(parents=True)
    (folder / "conf" / "env" / "mine.yaml").write_text(yaml)
    return run_here(folder, "chiron-check", "--config-dir", "conf", "env=mine")


@pytest.mark.medium
def test_discrete_envs_pass(tmp_path: Path) -> None:
    fixed = FROZEN_LAKE.replace("levels: [4x4, 8x8]", "levels: [4x4, 8x8], value: 1")
    assert check(tmp_path, fixed).stdout.startswith("env=mine keeps the contract of an env")


def test_levels_that_change_the_observations_are_refused(tmp_path: Path) -> None:
    refused = check(tmp_path, FROZEN_LAKE)
    assert refused.returncode == 2
    assert "map=1 changes the env's observation or action space" in refused.stderr


def test_observations_that_no_student_takes_are_named(tmp_path: Path) -> None:
    blackjack = FROZEN_LAKE.replace("FrozenLake-v1", "Blackjack-v1").partition("parameters")[0]
    parameters = "parameters: {natural: {argument: natural, levels: [false, true]}}\n"
    returns = "return_range: [-1, 1.5]\nmastered_return: 0\n"
    refused = check(tmp_path, blackjack + parameters + returns)
    assert refused.returncode == 1
    assert refused.stderr.startswith("chiron-check: observation space Tuple(Discrete(32)")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["cart_pole", "pendulum"])
def test_an_env_takes_the_actions_of_nobody(name: str) -> None:
    env = build_env(name)
    env.reset(seed=0)
    for actions in ("none", "random"):
        action = no_student(actions, env, 0)(None, None)
        assert action in env.action_space
        env.step(action)
