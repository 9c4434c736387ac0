from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from chiron.analysis.reproduction import command_of
from chiron.analysis.study import StudyRun
from chiron.runs.run_directory import RunDirectory

from tests.listing import composed


def run_of(folder: Path, config: dict[str, Any], names: dict[str, str], seed: int) -> StudyRun:
    directory = RunDirectory(folder / f"seed{seed}")
    directory.path.mkdir()
    directory.config.write_text(yaml.safe_dump({**config, "seed": seed}))
    return StudyRun(directory, {}, names, seed, 1, 1)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["teacher=random", "seed=3"],
        ["env=hexagon_tracks", "env.body=quadruped", "total_steps=1_000"],
        ["env.stump_height=[0.0, 5.0]", "env.stump_width=[1,2]"],
        ["n_envs=8", "teacher=riac", "teacher.scales_returns=false"],
        ["n_envs=8", "student.n_steps=64", "student.gamma=0.995", "student.vec_normalize.gamma=0.5"],
        ["student=sac", "+student.verbose=1", "student.ent_coef=1e-3"],
        ["student=sb3", "student._target_=sb3_contrib.TQC", "+student.policy_kwargs={net_arch:[8,8]}"],
        ["student.vec_normalize=null", "~student.action_repeat"],
        ["experiment=toy_grid", "student.return_noise=0.1", "study='it\\'s mine, twice'"],
        ["debug=smoke", "env=cart_pole", "env.parameters.gravity.value=9.81"],
    ],
)
def test_the_command_leads_to_the_configuration(tmp_path: Path, overrides: list[str]) -> None:
    config = composed(*overrides)
    chosen = dict(override.split("=", 1) for override in overrides if "=" in override)
    toy = "experiment" in chosen
    names = {
        "env": chosen.get("env", "simulated" if toy else "stump_tracks"),
        "teacher": chosen.get("teacher", "alp_gmm"),
        "student": chosen.get("student", "toy_grid" if toy else "ppo"),
    }
    program, *words = shlex.split(command_of([run_of(tmp_path, config, names, config["seed"])]))
    assert program == "chiron-train"
    assert composed(*words) == config


def test_several_runs_are_a_sweep_over_seeds(tmp_path: Path) -> None:
    config = composed("teacher=random")
    names = {"env": "stump_tracks", "teacher": "random", "student": "ppo"}
    runs = [run_of(tmp_path, config, names, seed) for seed in (0, 2)]
    assert command_of(runs) == "chiron-train -m env=stump_tracks teacher=random student=ppo seed=0,2"


def test_choices_of_the_users_own_are_left_to_them(tmp_path: Path) -> None:
    config = composed("study=s")
    names = {"env": "mine", "teacher": "random", "student": "ppo"}
    command = command_of([run_of(tmp_path, config, names, 0)])
    assert command == (
        "chiron-train --config-dir … env=mine teacher=random student=ppo seed=0 total_steps=2000000 study=s"
    )


@pytest.mark.parametrize("videos", [None, True])
def test_videos_are_no_part_of_what_ran(tmp_path: Path, videos: bool | None) -> None:
    config = composed() | {"videos": videos}
    if videos is None:
        del config["videos"]
    names = {"env": "stump_tracks", "teacher": "alp_gmm", "student": "ppo"}
    assert "videos" not in command_of([run_of(tmp_path, config, names, 0)])
