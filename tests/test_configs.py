"""Every YAML in `conf/`: does it compose, and does its class accept its keys?"""

from __future__ import annotations

import copy
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.conf.build import build
from chiron.conf.configured_run import run_from, settings_of
from chiron.envs import StumpTracks
from chiron.runs.make_run import default_callbacks
from chiron.runs.run_directory import RunDirectory
from chiron.teachers import Random
from hydra.utils import get_class
from omegaconf import OmegaConf

from tests.listing import CONF, build_env, build_teacher, composed, env_names, names_in, simulated_students

COMPONENTS = [
    *(("env", name) for name in env_names()),
    *((group, name) for group in ("teacher", "student") for name in names_in(group)),
]
BY_IMPORT_PATH = "sb3"
"""The student without its own class."""

OF_THE_ADAPTER = ("action_repeat", "vec_normalize", "load")
"""Keys of a student's YAML that apply to its envs."""


def configured(group: str, name: str, *more: str) -> dict[str, Any]:
    overrides = [f"{group}={name}", *more]
    if name == BY_IMPORT_PATH:
        overrides.append("student._target_=stable_baselines3.A2C")
    return composed(*overrides)


@pytest.mark.parametrize(("group", "name"), COMPONENTS)
class TestEveryComponent:
    def test_has_only_keys_that_its_class_takes(self, group: str, name: str) -> None:
        node = configured(group, name)[group]
        signature = inspect.signature(get_class(node["_target_"]))
        assert set(node) - {"_target_", *OF_THE_ADAPTER} <= set(signature.parameters)

    def test_building_leaves_the_configuration_as_it_was(self, group: str, name: str) -> None:
        node = configured(group, name)[group]
        for key in OF_THE_ADAPTER:
            node.pop(key, None)
        before = copy.deepcopy(node)
        build(node)
        assert node == before

    def test_opens_with_a_line_that_says_what_it_is(self, group: str, name: str) -> None:
        assert (CONF / group / f"{name}.yaml").read_text().startswith("# ")


@pytest.mark.medium
@pytest.mark.parametrize("env", env_names())
def test_every_teacher_teaches_in_every_env(env: str) -> None:
    space = build_env(env).task_space
    for name in names_in("teacher"):
        teacher = build_teacher(name, space=space, seed=np.random.SeedSequence(0))
        assert space.contains(teacher.sample().task), name


@pytest.mark.medium
@pytest.mark.parametrize("student", names_in("student"))
def test_every_student_can_be_built(student: str, tmp_path: Path) -> None:
    env = "simulated" if student in simulated_students() else "stump_tracks"
    names = {"env": env, "teacher": "random", "student": student}
    config = configured("student", student, f"env={env}", "n_envs=2", "n_workers=0")
    run_from(config, names, RunDirectory(tmp_path / "run"))
    assert not list(tmp_path.iterdir())


@pytest.mark.medium
@pytest.mark.parametrize("env", env_names())
def test_every_env_trains_with_the_default_student(env: str, tmp_path: Path) -> None:
    short = ["total_steps=64", "n_envs=2", "n_workers=0", "student.n_steps=32", "student.batch_size=16"]
    config = composed(f"env={env}", *short, "evaluation.n_tasks=1")
    run = run_from(
        config, {"env": env, "teacher": "alp_gmm", "student": "ppo"}, RunDirectory(tmp_path / "run")
    )
    run.callbacks.clear()
    assert run.execute()["status"] == "finished"


@pytest.mark.parametrize("kind", ["experiment", "debug"])
def test_every_preset_composes_and_opens_with_its_command(kind: str) -> None:
    for name in names_in(kind):
        config = composed(f"{kind}={name}")
        settings_of(config)
        assert config["study"] == name
        text = (CONF / kind / f"{name}.yaml").read_text()
        assert f"chiron-train {kind}={name}" in text


def test_the_command_line_beats_a_preset() -> None:
    assert composed("debug=smoke")["n_envs"] == 4
    assert composed("debug=smoke", "n_envs=2")["n_envs"] == 2


def test_presets_are_the_published_ones() -> None:
    sac = composed("student=sac", "n_envs=8")["student"]
    # One update per ten steps of all envs together.
    assert sac["gradient_steps"] / (sac["train_freq"] * 8) == 1 / 10
    assert (sac["batch_size"], sac["buffer_size"], sac["policy_kwargs"]) == (
        1000,
        2_000_000,
        {"net_arch": [400, 300]},
    )
    assert composed("student=fast_sac", "n_envs=8")["student"] == {
        **sac,
        "_target_": "chiron.students.fast.fast_sac.FastSAC",
    }
    ppo = composed("student=ppo_benchmark", "n_envs=8")["student"]
    assert ppo["n_steps"] * 8 == 20_000
    assert ppo["n_steps"] * 8 / ppo["batch_size"] == 20
    paper, benchmark = (composed(f"teacher={n}")["teacher"] for n in ("alp_gmm", "alp_gmm_benchmark"))
    assert (paper["fit_rate"], paper["random_ratio"], paper["max_gaussians"]) == (250, 0.2, 10)
    assert (benchmark["fit_rate"], benchmark["random_ratio"], benchmark["max_gaussians"]) == (150, 0.05, 9)
    assert paper["scales_returns"]
    assert not benchmark["scales_returns"]


def test_a_component_from_elsewhere_is_a_yaml_in_a_folder_of_ones_own(tmp_path: Path) -> None:
    OmegaConf.save({"_target_": "chiron.teachers.random.Random"}, tmp_path / "mine.yaml")
    node = OmegaConf.to_container(OmegaConf.load(tmp_path / "mine.yaml"))
    assert isinstance(node, dict)
    made = build({str(key): value for key, value in node.items()})(space=StumpTracks.task_space(), seed=0)
    assert isinstance(made, Random)


def test_python_and_the_command_line_have_the_same_callbacks() -> None:
    configured = {name: type(build(node)()) for name, node in composed()["callbacks"].items()}
    assert configured == {name: type(callback) for name, callback in default_callbacks().items()}
    assert list(configured) == list(default_callbacks())
