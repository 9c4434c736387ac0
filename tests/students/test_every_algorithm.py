"""Every algorithm of Stable-Baselines3 and sb3-contrib in every space it takes, from training to playback."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import chiron.students
import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3
import torch
import yaml
from chiron import load_student
from chiron.conf.build import build
from chiron.evaluation.named_test_sets import read_task_set
from chiron.evaluation.task_sets import TaskSet
from chiron.runs.evaluate_run import evaluate_run
from chiron.runs.evaluation_log import EvaluationLog
from chiron.runs.make_run import Parts, assemble, make_run
from chiron.runs.run import Run, RunCallback
from chiron.runs.settings import RunSettings, settings_from
from chiron.runs.watch import watch
from chiron.students.saved_student import read_tensors
from chiron.students.sb3_policy import takes_action_masks
from chiron.students.sb3_student import SB3Adapter
from chiron.teachers import Random
from gymnasium import spaces
from sb3_contrib.common.maskable.evaluation import evaluate_policy as evaluate_maskable_policy
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize

from tests.gpu import needs_gpu
from tests.students.spaces_env import ACTIONS, OBSERVATIONS, SpacesEnv

LIBRARIES = (stable_baselines3, sb3_contrib, chiron.students)
ALGORITHMS = {
    name: f"{library.__name__}.{name}"
    for library in LIBRARIES
    for name, kind in inspect.getmembers(library, inspect.isclass)
    if issubclass(kind, BaseAlgorithm)
}
"""All algorithms, by name."""
USUAL = ("A2C", "DQN", "FastPPO", "FastSAC", "HER with SAC", "MaskablePPO", "PPO", "RecurrentPPO", "SAC")
HER = {"HER with SAC": "SAC", "HER with DQN": "DQN"}
REPEATS_NOT = {"OverlappedSAC"}
"""Algorithms that are documented not to be reproducible bit for bit."""
CONTINUOUS, DISCRETE = ("box", "box64"), ("discrete",)
TAKES = {
    **dict.fromkeys(("DDPG", "TD3", "SAC", "TQC", "CrossQ", "FastSAC", "OverlappedSAC"), CONTINUOUS),
    **dict.fromkeys(("DQN", "QRDQN"), DISCRETE),
    "ARS": (*CONTINUOUS, *DISCRETE),
    "MaskablePPO": ("discrete", "multi_discrete", "multi_binary"),
    # It claims to take MultiBinary, and fails in its first update.
    "RecurrentPPO": (*CONTINUOUS, "discrete", "multi_discrete"),
}
"""Action spaces of the algorithms that do not support all of them."""
FAULTY = {("RecurrentPPO", "multi_discrete"): "input_size should be of type int"}
"""Observations that an algorithm should support, and its error instead."""
NO_DICTS = {"ARS", "CrossQ"}
SEES = dict.fromkeys(("FastSAC", "OverlappedSAC"), ("box", "box64"))
"""Observations of the algorithms that do not support all of them."""

ON_POLICY = {"n_steps": 8, "batch_size": 8, "n_epochs": 1}
OFF_POLICY = {"learning_starts": 10, "batch_size": 4, "buffer_size": 60, "train_freq": 2}
FALLING = {
    "_target_": "stable_baselines3.common.utils.LinearSchedule",
    "start": 0.5,
    "end": 0.1,
    "end_fraction": 1.0,
}
OF_ITS_OWN: dict[str, dict[str, Any]] = {
    "A2C": {"n_steps": 8},
    "TRPO": {"n_steps": 8, "batch_size": 8},
    "ARS": {"n_delta": 2, "learning_rate": FALLING},
    "FastSAC": {"ent_coef": "auto"},
}
SHORT = {
    "total_steps": 96,
    "n_envs": 2,
    "n_workers": 0,
    "evaluation": {"every_steps": 40, "n_tasks": 3},
    "checkpoint": {"every_steps": 16, "every_minutes": None},
}
KILLED_AT = 60


class KilledError(BaseException):
    """Stands for anything that kills a process."""


class Killer(RunCallback):
    """Ends the run after `KILLED_AT` steps."""

    def on_step(self, run: Run) -> None:
        if run.steps >= KILLED_AT:
            raise KilledError


def student_node(name: str, observations: str) -> dict[str, Any]:
    """A student as described by a configuration."""
    algorithm = HER.get(name, name)
    target = ALGORITHMS[algorithm]
    kind = getattr(__import__(target.rpartition(".")[0], fromlist=[algorithm]), algorithm)
    accepted = inspect.signature(kind).parameters
    arguments = OFF_POLICY if "buffer_size" in accepted else ON_POLICY
    node: dict[str, Any] = {key: value for key, value in arguments.items() if key in accepted}
    node |= {"_target_": target, **OF_ITS_OWN.get(algorithm, {})}
    policies = {"box": "Mlp", "dict": "MultiInput", "goals": "MultiInput"}
    node["policy"] = policies.get(observations, "Mlp") + ("Lstm" if "Recurrent" in name else "") + "Policy"
    node["policy_kwargs"] = {"net_arch": [8]} | ({"lstm_hidden_size": 8} if "Recurrent" in name else {})
    if name in HER:
        node["replay_buffer_class"] = "stable_baselines3.HerReplayBuffer"
        node["learning_starts"] = 30
    if observations in ("box", "box64"):
        node["vec_normalize"] = {}
    if observations == "dict":
        node["vec_normalize"] = {"norm_obs_keys": ["numbers"]}
    return node


def a_run(
    node: dict[str, Any], make_env: Any, folder: Path, *callbacks: RunCallback, device: str = "cpu"
) -> Run:
    settings: RunSettings = settings_from(RunSettings, SHORT | {"device": device})
    arguments = dict(node)
    adapter = SB3Adapter.taken_from(arguments)
    names = {"env": "spaces", "teacher": "random", "student": node["_target_"]}
    env = {"_target_": "tests.students.spaces_env.SpacesEnv"}
    config = {"env": env, "teacher": {}, "student": node, **asdict(settings)}
    parts = Parts(make_env, Random, build(arguments), adapter, names, config)
    named: dict[str, Any] = {"evaluation_log": EvaluationLog()}
    return assemble(parts, settings, folder, named | {type(each).__name__: each for each in callbacks})


def played_by_sb3(
    folder: Path, node: dict[str, Any], make_env: Any, tasks: TaskSet
) -> list[tuple[float, int]]:
    """Returns and lengths of episodes, evaluated by Stable-Baselines3 or sb3-contrib."""

    class Fixed(gym.Wrapper[Any, Any, Any, Any]):
        def __init__(self, index: int) -> None:
            super().__init__(make_env())
            self.index = index

        def reset(self, **arguments: Any) -> Any:
            return self.env.reset(seed=tasks.seeds[self.index], options={"task": tasks.tasks[self.index]})

    vec_env: VecEnv = DummyVecEnv([partial(Fixed, index) for index in range(len(tasks))])
    if node.get("vec_normalize") is not None:
        vec_env = VecNormalize.load(str(folder / "vec_normalize.pkl"), vec_env)
        vec_env.training = vec_env.norm_reward = False
    kind: type[BaseAlgorithm] = build({"_target_": node["_target_"]}).func  # type: ignore[assignment]
    model: Any = kind.load(folder / "model.zip", env=vec_env, device="cpu")
    judge: Any = evaluate_maskable_policy if takes_action_masks(model) else evaluate_policy
    returns, lengths = judge(model, vec_env, len(tasks), return_episode_rewards=True, warn=False)
    return sorted(zip(map(float, returns), map(int, lengths), strict=True))


def played_by_predict(student: Any, tasks: TaskSet) -> float:
    """The return on the first task, played with `predict` as in a user's script."""
    env = student.make_env()
    observation, _ = env.reset(seed=tasks.seeds[0], options={"task": tasks.tasks[0]})
    state, is_over, total = None, False, 0.0
    while not is_over:
        masked = takes_action_masks(student._model)
        masks = {"action_masks": env.get_wrapper_attr("action_masks")()} if masked else {}
        action, state = student.predict(observation, state, **masks)
        observation, reward, terminated, truncated, _ = env.step(action)
        total, is_over = total + float(reward), terminated or truncated
    return total


def three_tasks(folder: Path) -> Path:
    path = folder / "three.csv"
    path.write_text("duration,seed\n4.5,1\n9,2\n3,5\n")
    return path


def check(name: str, observations: str, actions: str, tmp_path: Path, **more: Any) -> None:
    make_env = partial(SpacesEnv, observations, actions)
    node = student_node(name, observations) | more
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert a_run(node, make_env, whole).execute()["status"] == "finished"

    student, video = load_student(whole), tmp_path / "video.gif"
    rows = evaluate_run(student, make_env, str(three_tasks(tmp_path)))[1]
    tasks = read_task_set(three_tasks(tmp_path), make_env().task_space)
    ours = sorted(zip(rows["return"], rows["length"], strict=True))
    assert ours == played_by_sb3(whole, node, make_env, tasks)
    drawn = make_env(render_mode="rgb_array")
    episode = watch(drawn, student.policy, tasks.tasks[0], tasks.seeds[0], out=video)
    assert video.stat().st_size > 0
    assert f"return {rows['return'][0]:.1f} in {rows['length'][0]}" in str(episode)
    student.make_env = make_env  # type: ignore[method-assign]  # which config.yaml does not name here
    assert played_by_predict(student, tasks) == pytest.approx(float(rows["return"][0]))

    check_resuming(name, node, make_env, whole, resumed)


def check_resuming(
    name: str, node: dict[str, Any], make_env: Any, whole: Path, resumed: Path, device: str = "cpu"
) -> None:
    """Kill a run, resume it, and compare it with one that was not killed."""
    with pytest.raises(KilledError):
        a_run(node, make_env, resumed, Killer(), device=device).execute()
    run = a_run(node, make_env, resumed, device=device)
    run.execute()
    assert run.is_resumed
    if HER.get(name, name) not in REPEATS_NOT:
        assert (resumed / "evaluations.csv").read_bytes() == (whole / "evaluations.csv").read_bytes()
        first, second = (read_tensors(folder / "model.zip", "policy") for folder in (whole, resumed))
        assert all(torch.equal(first[key], second[key]) for key in first)


NOISE = "stable_baselines3.common.noise.OrnsteinUhlenbeckActionNoise"
VARIANTS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "PPO with gSDE": ("PPO", "box64", "box", {"use_sde": True, "sde_sample_freq": 3}),
    "SAC with gSDE": ("SAC", "box64", "box", {"use_sde": True, "sde_sample_freq": 3}),
    "TQC with gSDE": ("TQC", "box64", "box", {"use_sde": True}),
    "CrossQ with gSDE": ("CrossQ", "box", "box", {"use_sde": True}),
    "noise": ("TD3", "box", "box", {"action_noise": {"_target_": NOISE, "mean": [0, 0], "sigma": [1, 1]}}),
    "n-step returns": ("SAC", "box", "box", {"n_steps": 3}),
    "less memory": (
        *("DQN", "box", "discrete"),
        {"optimize_memory_usage": True, "replay_buffer_kwargs": {"handle_timeout_termination": False}},
    ),
    "a shared LSTM": (
        *("RecurrentPPO", "box", "box"),
        {"policy_kwargs": {"lstm_hidden_size": 8, "shared_lstm": True, "enable_critic_lstm": False}},
    ),
    "linear": ("ARS", "box", "discrete", {"policy": "LinearPolicy", "policy_kwargs": {}, "n_top": 1}),
    "other networks": (
        *("PPO", "box64", "box"),
        {"policy_kwargs": {"activation_fn": "torch.nn.ReLU", "net_arch": {"pi": [8], "vf": [4]}}},
    ),
}
"""Settings that add state, or that change the networks."""


def supported(name: str) -> list[tuple[str, str, str]]:
    """The cells of an algorithm: each supported pair of observation and action space."""
    algorithm = HER.get(name, name)
    flat = [key for key, space in OBSERVATIONS.items() if not isinstance(space, spaces.Dict)]
    seen = ["goals"] if name in HER else flat if algorithm in NO_DICTS else SEES.get(algorithm, OBSERVATIONS)
    taken = [key for key in seen if (name, key) not in FAULTY]
    return [
        (name, observations, actions) for observations in taken for actions in TAKES.get(algorithm, ACTIONS)
    ]


def cells() -> Iterator[Any]:
    """All cells; the regular test run includes one for each of some algorithms, a different one for each."""
    for index, name in enumerate([*ALGORITHMS, *HER]):
        of_it = supported(name)
        for place, cell in enumerate(of_it):
            is_usual = name in USUAL and place == 7 * index % len(of_it)
            yield pytest.param(*cell, marks=pytest.mark.medium if is_usual else pytest.mark.slow)


@pytest.mark.parametrize(("name", "observations", "actions"), list(cells()))
def test_from_training_to_playback(name: str, observations: str, actions: str, tmp_path: Path) -> None:
    check(name, observations, actions, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
# Stable-Baselines3 warns about models with n-step returns that it loads itself.
@pytest.mark.filterwarnings("ignore:`n_steps=3` is ignored:UserWarning")
def test_settings_that_leave_a_state(variant: str, tmp_path: Path) -> None:
    name, observations, actions, arguments = VARIANTS[variant]
    check(name, observations, actions, tmp_path, **arguments)


@needs_gpu
@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.filterwarnings("ignore:You are trying to run .* on the GPU:UserWarning")
@pytest.mark.filterwarnings("ignore:This instance was constructed with capturable=True:UserWarning")
def test_a_run_on_a_gpu_is_resumed_as_exactly(name: str, tmp_path: Path) -> None:
    _, observations, actions = supported(name)[0]
    node, make_env = student_node(name, observations), partial(SpacesEnv, observations, actions)
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    a_run(node, make_env, whole, device="cuda").execute()
    check_resuming(name, node, make_env, whole, resumed, device="cuda")


@pytest.mark.parametrize("name", ALGORITHMS)
def test_other_spaces_are_refused_before_anything_is_written(name: str, tmp_path: Path) -> None:
    others = [("box", actions) for actions in ACTIONS if actions not in TAKES.get(name, ACTIONS)]
    seen = {observations for _, observations, _ in supported(name)}
    others += [(key, next(iter(TAKES.get(name, ACTIONS)))) for key in OBSERVATIONS if key not in seen]
    for observations, actions in others:
        with pytest.raises(ValueError, match=name):
            a_run(
                student_node(name, observations), partial(SpacesEnv, observations, actions), tmp_path / "run"
            )
    assert not (tmp_path / "run").exists()


@pytest.mark.medium
@pytest.mark.parametrize("name", ["ARS", "TQC"])
def test_a_warm_start_begins_with_what_was_learned(name: str, tmp_path: Path) -> None:
    node, make_env = student_node(name, "box64"), partial(SpacesEnv, "box64", "box")
    first = a_run(node, make_env, tmp_path / "first")
    first.execute()
    second = a_run(node | {"load": str(tmp_path / "first")}, make_env, tmp_path / "second")
    learned, begun = ({**run.student.model.policy.state_dict()} for run in (first, second))  # type: ignore[attr-defined]
    assert all(torch.equal(learned[key], begun[key]) for key in learned)
    if name == "ARS":
        model: Any = second.student.model  # type: ignore[attr-defined]
        assert torch.equal(model.weights, torch.nn.utils.parameters_to_vector(model.policy.parameters()))
        assert model.weights.any()


def test_what_is_not_resumed_exactly_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    node = student_node("HER with SAC", "goals")
    for copies in (False, True):
        node["replay_buffer_kwargs"] = {"copy_info_dict": copies}
        a_run(node, partial(SpacesEnv, "goals", "box"), tmp_path / "run")
        assert ("HerReplayBuffer.infos is not part of checkpoints" in caplog.text) == copies


def test_what_python_passes_is_written_down(tmp_path: Path) -> None:
    student = partial(
        stable_baselines3.PPO,
        "MlpPolicy",
        learning_rate=lambda progress: 0.001 * progress,
        target_kl=np.float64(0.5),
        policy_kwargs={"activation_fn": torch.nn.ReLU},
    )
    run = make_run(partial(SpacesEnv, "box", "box"), Random, student, tmp_path / "run", n_envs=2, n_workers=0)
    config = yaml.safe_load(yaml.safe_dump(run.config))
    assert config["student"]["policy_kwargs"] == {"activation_fn": "torch.nn.modules.activation.ReLU"}
    assert config["student"]["target_kl"] == 0.5
    assert config["student"]["learning_rate"].endswith("<lambda>")
