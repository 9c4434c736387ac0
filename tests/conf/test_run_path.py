from __future__ import annotations

from pathlib import Path

import pytest
from chiron.conf.run_path import run_path
from chiron.scripts.job import Job
from hydra import compose, initialize_config_module

NAMES = {"env": "stump_tracks", "teacher": "alp_gmm", "student": "ppo"}
MAIN = "stump_tracks/alp_gmm/ppo"


def label_of(*overrides: str) -> str:
    """Path of a command's run, relative to the folder of its study."""
    with initialize_config_module("chiron.conf", version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
        config.hydra.runtime.cwd, config.hydra.job.config_name = str(Path.cwd()), "config"
        return Job(config, config.hydra).label


def test_levels_say_what_ran() -> None:
    assert run_path(Path("r/s"), NAMES, 3, "") == Path("r/s/stump_tracks/alp_gmm/ppo/seed3")
    assert run_path(Path("r/s"), NAMES, 3, "tau-1") == Path("r/s/stump_tracks/alp_gmm/ppo/tau-1/seed3")


@pytest.mark.parametrize(
    ("overrides", "label"),
    [
        (["seed=3"], f"{MAIN}/seed3"),
        (["env.body=quadruped"], f"{MAIN}/body-quadruped/seed0"),
        (["n_envs=8", "env.body=short"], f"{MAIN}/body-short+n_envs-8/seed0"),
        (["student=sac", "+student.seed_=0.1"], "stump_tracks/alp_gmm/sac/seed_-0.1/seed0"),
        (["student.vec_normalize=null"], f"{MAIN}/vec_normalize-null/seed0"),
        (["~student.gae_lambda"], f"{MAIN}/gae_lambda-absent/seed0"),
        (["device=cpu"], f"{MAIN}/device-cpu/seed0"),
        (["experiment=main_job"], f"{MAIN}/seed0"),
        (["experiment=toy_grid"], "simulated/alp_gmm/toy_grid/seed0"),
        (["experiment=toy_grid", "study=mine"], "simulated/alp_gmm/toy_grid/every_steps-1000+n_envs-1/seed0"),
    ],
)
def test_what_is_not_the_default_is_a_level(overrides: list[str], label: str) -> None:
    assert label_of(*overrides) == label


@pytest.mark.parametrize(
    "spellings",
    [
        [["student.learning_rate=1e-3"], ["student.learning_rate=0.001"], ["student.learning_rate=10E-4"]],
        [
            ["evaluation.every_steps=300_000"],
            ["evaluation.every_steps=3e5"],
            ["++evaluation.every_steps=300000"],
        ],
        [["env.stump_height=[0,5]"], ["env.stump_height=[0.0, 5]"]],
        [[], ["n_envs=32"], ["student.gamma=0.99"], ["env.stump_height=[0,3]"], ["student=ppo", "seed=0"]],
        [
            ["n_envs=8"],
            ["student.n_steps=512", "n_envs=8"],
            ["student.n_steps=${per_env:4096,8}", "n_envs=8"],
        ],
        [[], ["total_steps=1e5"], ["pictures=true"], ["videos=true"], ["threads=2"], ["n_workers=0"]],
        [[], ["checkpoint.every_steps=10"], ["+callbacks.mine._target_=x.Y"], ["~callbacks.figure"]],
    ],
)
def test_one_configuration_has_one_directory(spellings: list[list[str]]) -> None:
    assert len({label_of(*spelling) for spelling in spellings}) == 1


def test_different_configurations_never_share_a_directory() -> None:
    labels = [
        label_of(*overrides)
        for overrides in (
            ["env.stump_height=[0,2]"],
            ["env.stump_height=[0.2]"],
            ["env.stump_height=0-2"],
            ["env.stump_height='0 2'"],
            ["student.gamma=0.9"],
            ["+teacher.gamma=0.9", "student.gamma=0.9"],
            ["+teacher.gamma=0.9", "student.gamma=0.8"],
            ["student.vec_normalize={}"],
            ["student.vec_normalize=null"],
            [f"+student.x{i}={i}" for i in range(50)],
            [f"+student.x{i}={i}" for i in range(51)],
        )
    ]
    assert len(set(labels)) == len(labels)
    assert all(len(label) < 250 and "=" not in label for label in labels)
