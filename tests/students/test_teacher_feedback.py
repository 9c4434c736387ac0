"""The critic scores that a teacher receives, and the episodes that a student does not learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from chiron import make_run
from chiron.envs.env_info import env_info
from chiron.runs.run import Run, RunCallback
from chiron.runs.run_directory import RunDirectory
from chiron.students import CurriculumVecEnv, FastPPO, FastSAC, OverlappedSAC, offers_of, teacher_feedback
from chiron.students.saved_student import read_tensors
from chiron.students.simulated.toy_grid import ToyGrid
from chiron.students.state_values import state_values
from chiron.students.teacher_feedback import advantages_of
from chiron.teachers import ACCEL, PLR, Curriculum, Episode, Proposals, Random
from sb3_contrib import ARS, QRDQN, TQC, TRPO, CrossQ, MaskablePPO, RecurrentPPO
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

from tests.students.spaces_env import SpacesEnv

SLOTS = 3
ROLLOUTS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "PPO": (PPO, "MlpPolicy", {"n_steps": 16, "batch_size": 16}),
    "FastPPO": (FastPPO, "MlpPolicy", {"n_steps": 16, "batch_size": 16}),
    "A2C": (A2C, "MlpPolicy", {"n_steps": 3}),
    "TRPO": (TRPO, "MlpPolicy", {"n_steps": 16, "batch_size": 16}),
    "RecurrentPPO": (RecurrentPPO, "MlpLstmPolicy", {"n_steps": 16, "batch_size": 16}),
    "MaskablePPO": (MaskablePPO, "MlpPolicy", {"n_steps": 16, "batch_size": 16}),
}
REPLAYS = (SAC, FastSAC, TD3, DDPG, TQC, CrossQ, DQN, QRDQN)


class Reader(Random):
    """Proposes at random, and keeps the critic scores."""

    needs = frozenset({"critic"})

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.read: list[Episode] = []

    def observe(self, episode: Episode) -> None:
        self.read.append(episode)


class Alternating(Reader):
    """Lets the student learn only from every second episode."""

    needs = frozenset({"no_gradient"})

    def _propose(self, n: int) -> Proposals:
        self.proposed = getattr(self, "proposed", 0) + 1
        return replace(super()._propose(n), trains=np.full(n, self.proposed % 2 == 0))


def tiny() -> dict[str, Any]:
    """Arguments of small models, created anew each time because Stable-Baselines3 changes them."""
    return {"policy_kwargs": {"net_arch": [8]}, "seed": 0, "device": "cpu"}


def cut(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """The env with episodes truncated after six steps."""
    return gym.wrappers.TimeLimit(env, 6)


def envs_of(make_env: Callable[[], gym.Env[Any, Any]], kind: type[Random] = Reader) -> CurriculumVecEnv:
    info = env_info(make_env())
    return CurriculumVecEnv([make_env] * SLOTS, Curriculum(kind(info.task_space, seed=0), info, seed=0))


class Recorder(BaseCallback):
    """Keeps the arrays of all rollouts, and the rewards and episode ends of all steps."""

    def __init__(self) -> None:
        super().__init__()
        self.rollouts: list[list[Any]] = []
        self.steps: list[tuple[Any, ...]] = []

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        truncated = [info.get("TimeLimit.truncated", False) for info in infos]
        self.steps.append((self.locals["rewards"].copy(), self.locals["dones"].copy(), np.array(truncated)))
        return True

    def _on_rollout_end(self) -> None:
        buffer = getattr(self.model, "rollout_buffer", None)
        if buffer is not None:
            names = ("advantages", "values", "rewards", "episode_starts")
            self.rollouts.append([getattr(buffer, name).astype(np.float64) for name in names])


def assert_read(teacher: Any, slot: int, expected: Sequence[tuple[Any, ...]]) -> None:
    """Check that these are exactly the critic scores of the slot's episodes, in order."""
    read = [astuple(episode.critic) for episode in teacher.read if episode.slot == slot]
    assert len(read) == len(expected) > 2
    np.testing.assert_allclose(read, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.medium
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if "PPO" in name else pytest.mark.slow) for name in ROLLOUTS]
)
@pytest.mark.filterwarnings("ignore:You have specified a mini-batch size:UserWarning")
def test_on_policy_students_say_what_their_rollouts_do(name: str) -> None:
    """The means over each episode's steps, though most episodes go over several rollouts."""
    kind, policy, arguments = ROLLOUTS[name]
    vec_env = envs_of(lambda: cut(SpacesEnv("box", "discrete")))
    model: Any = kind(policy, VecNormalize(vec_env), **tiny(), **arguments)
    recorder = Recorder()
    model.learn(200, callback=[*teacher_feedback(model, vec_env.curriculum), recorder])
    arrays = zip(*recorder.rollouts, strict=True)
    advantages, values, rewards, starts = (np.concatenate(parts) for parts in arrays)
    for slot in range(SLOTS):
        begin = np.flatnonzero(starts[:, slot])
        end = [*begin[1:], *([len(starts)] if model._last_episode_starts[slot] else [])]
        expected = []
        for first, last in zip(begin, end, strict=False):
            a, v, r = (array[first:last, slot] for array in (advantages, values, rewards))
            discounted = sum(model.gamma**t * reward for t, reward in enumerate(r))
            expected.append((a.clip(0).mean(), abs(a).mean(), v.mean(), discounted))
        assert_read(vec_env.curriculum.teacher, slot, expected)
    read = vec_env.curriculum.teacher.read  # type: ignore[attr-defined]
    assert [episode.index for episode in read] == list(range(len(read)))


@pytest.mark.parametrize("kind", [A2C, DQN])
def test_episodes_of_an_earlier_training_are_forgotten(kind: Any) -> None:
    """Each training starts new episodes in all envs; 7 steps leave some unfinished."""
    vec_env = envs_of(partial(SpacesEnv, "box", "discrete"))
    model = kind("MlpPolicy", vec_env, **tiny(), **({"n_steps": 7} if kind is A2C else {"buffer_size": 50}))
    feedback = teacher_feedback(model, vec_env.curriculum)
    for _ in range(2):
        model.learn(7 * SLOTS, callback=feedback)
    state = feedback[0].state_dict()
    running = [len(values) for values in state["values"]] if kind is DQN else state["begun"][:, 0].tolist()
    now = vec_env.state_dict()["lengths"].tolist()
    assert running == now


def with_values(model: Any, *outputs: float) -> None:
    """Make each of an algorithm's critics output a constant for all states and actions."""
    found = (getattr(model, name, None) for name in ("q_net", "quantile_net", "critic"))
    net = next(part for part in found if part is not None)
    linear = ([m for m in part.modules() if isinstance(m, torch.nn.Linear)] for part in net.children())
    heads = [layers[-1] for layers in linear if layers]
    with torch.no_grad():
        for head in heads:
            head.weight.zero_()
        biases = torch.cat([head.bias for head in heads])
        each = torch.tensor(outputs).repeat_interleave(len(biases) // len(outputs))
        for head, bias in zip(heads, torch.split(each, [head.out_features for head in heads]), strict=True):
            head.bias.copy_(bias)


def off_policy(kind: Any, vec_env: Any) -> Any:
    arguments = {"learning_starts": 10_000, "batch_size": 8, "buffer_size": 1000}
    return kind("MlpPolicy", vec_env, **tiny(), **arguments)


@pytest.mark.parametrize("kind", REPLAYS, ids=lambda kind: kind.__name__)
def test_off_policy_students_say_what_their_critics_do(kind: Any) -> None:
    """By hand: all states are worth 2, to the most cautious of two critics."""
    actions = "discrete" if kind in (DQN, QRDQN) else "box"
    vec_env = envs_of(lambda: cut(SpacesEnv("box", actions)))
    model = off_policy(kind, vec_env)
    with_values(model, *((2.0,) if kind is DDPG or kind in (DQN, QRDQN) else (2.0, 3.0)))
    recorder = Recorder()
    model.learn(120, callback=[*teacher_feedback(model, vec_env.curriculum), recorder])
    rewards, dones, truncated = map(np.array, zip(*recorder.steps, strict=True))
    gamma, both = model.gamma, [0, 0]
    for slot in range(SLOTS):
        ends = np.flatnonzero(dones[:, slot])
        expected = []
        for first, last in zip([0, *ends[:-1] + 1], ends, strict=True):
            r = rewards[first : last + 1, slot].astype(np.float64)
            both[int(truncated[last, slot])] += 1
            after = np.full(len(r), 2.0)
            after[-1] = 2.0 if truncated[last, slot] else 0.0
            deltas = r + gamma * after - 2.0
            steps = range(len(r))
            a = np.array([sum((gamma * 0.95) ** (k - t) * deltas[k] for k in steps[t:]) for t in steps])
            discounted = sum(gamma**t * r[t] for t in steps) + gamma ** len(r) * after[-1]
            expected.append((a.clip(0).mean(), abs(a).mean(), 2.0, discounted))
        assert_read(vec_env.curriculum.teacher, slot, expected)
    assert min(both) > 2


def test_a_choice_is_worth_its_best_option_and_quantiles_their_mean() -> None:
    for kind, outputs in ((DQN, [1.0, 7.0, 2.0, 3.0]), (QRDQN, [1.0, 9.0, 2.0, 3.0, 1.0, 5.0, 2.0, 3.0])):
        vec_env = envs_of(partial(SpacesEnv, "box", "discrete"))
        kwargs = {"n_quantiles": 2} if kind is QRDQN else {}
        model: Any = kind(
            "MlpPolicy", vec_env, device="cpu", buffer_size=50, policy_kwargs={"net_arch": [8], **kwargs}
        )
        with_values(model, *outputs)
        assert state_values(model, vec_env.reset()).tolist() == [7.0] * SLOTS


def test_of_several_quantile_critics_the_lowest_mean_counts() -> None:
    vec_env = envs_of(partial(SpacesEnv, "box", "box"))
    model = off_policy(TQC, vec_env)
    with_values(model, 4.0, 3.0)
    assert state_values(model, vec_env.reset()).tolist() == pytest.approx([3.0] * SLOTS)


def test_advantages_are_the_sums_that_define_them() -> None:
    values, rewards = [1.0, -2.0, 0.5], [0.25, 1.0, 2.0]
    deltas = [0.25 - 0.9 * 2 - 1, 1 + 0.9 * 0.5 + 2, 2 - 0.5]
    step = 0.9 * 0.95
    expected = [deltas[0] + step * deltas[1] + step**2 * deltas[2], deltas[1] + step * deltas[2], deltas[2]]
    assert advantages_of(values, rewards, 0.9) == pytest.approx(expected)


@pytest.mark.medium
@pytest.mark.parametrize("observations", ["box", "dict"])
def test_the_student_learns_from_the_episodes_it_is_to_learn_from(observations: str) -> None:
    """Weights are those of a student that was told for each step, from a log of its own."""

    class Told(BaseCallback):
        """Decides by itself which steps count."""

        def __init__(self, curriculum: Curriculum) -> None:
            super().__init__()
            self.curriculum = curriculum

        def _on_rollout_start(self) -> None:
            self.rows: list[list[bool]] = []
            self.now = [self.curriculum.playing(slot).trains for slot in range(SLOTS)]

        def _on_step(self) -> bool:
            self.rows.append(self.now)
            self.now = [self.curriculum.playing(slot).trains for slot in range(SLOTS)]
            return True

        def _on_rollout_end(self) -> None:
            assert 0 < np.sum(self.rows) < np.size(self.rows)
            self.model.learns_from = np.array(self.rows)  # type: ignore[attr-defined]

    learned = []
    for told in (False, True):
        vec_env = envs_of(partial(SpacesEnv, observations, "box"), Alternating)
        policy = "MlpPolicy" if observations == "box" else "MultiInputPolicy"
        model = FastPPO(policy, vec_env, n_steps=16, batch_size=16, **tiny())
        callbacks: Any = [Told(vec_env.curriculum)] if told else teacher_feedback(model, vec_env.curriculum)
        model.learn(150, callback=callbacks)
        learned.append(model.policy.state_dict())
    assert all(torch.equal(learned[0][key], learned[1][key]) for key in learned[0])


def test_what_algorithms_offer() -> None:
    offered = {}
    for kind in (FastPPO, PPO, A2C, SAC, OverlappedSAC, ARS):
        model: Any = kind("MlpPolicy", envs_of(partial(SpacesEnv, "box", "box")), device="cpu")
        offered[kind] = offers_of(model) - {"success"}
    everything, critic = {"critic", "no_gradient"}, {"critic"}
    assert offered == {
        **{FastPPO: everything, PPO: critic, A2C: critic, SAC: critic},
        **{OverlappedSAC: set(), ARS: set()},
    }


class KilledError(BaseException):
    """Stands for anything that kills a process."""


class Killer(RunCallback):
    def on_step(self, run: Run) -> None:
        if run.steps >= 250:
            raise KilledError


RESUMED: dict[str, tuple[type[PLR], dict[str, Any], Any]] = {
    "PLR, on-policy": (PLR, {"score": "max_mc"}, partial(A2C, n_steps=5)),
    "PLR, off-policy": (PLR, {}, partial(SAC, learning_starts=20, batch_size=8, buffer_size=500)),
    "robust PLR": (PLR, {"robust": True}, partial(FastPPO, n_steps=8, batch_size=8, n_epochs=1)),
    "ACCEL": (ACCEL, {"score": "value_l1"}, partial(FastPPO, n_steps=8, batch_size=8, n_epochs=1)),
}


@pytest.mark.medium
@pytest.mark.usefixtures("blank_figures")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "ACCEL" else pytest.mark.slow) for name in RESUMED]
)
def test_a_killed_run_resumes_bit_for_bit(name: str, tmp_path: Path) -> None:
    kind, options, student = RESUMED[name]

    def a_run(folder: str, *callbacks: Any) -> Run:
        return make_run(
            partial(SpacesEnv, "box", "box"),
            partial(kind, buffer_size=8, **options),
            partial(student, "MlpPolicy", policy_kwargs={"net_arch": [8]}),
            tmp_path / folder,
            callbacks,
            total_steps=400,
            n_envs=4,
            n_workers=0,
            device="cpu",
            vec_normalize={},
            evaluation={"every_steps": 200, "n_tasks": 2},
            checkpoint={"every_steps": 96, "every_minutes": None},
        )

    a_run("whole").execute()
    with pytest.raises(KilledError):
        a_run("killed", Killer()).execute()
    resumed = a_run("killed")
    resumed.execute()
    assert resumed.is_resumed
    whole, again = (RunDirectory(tmp_path / folder).read_episodes() for folder in ("whole", "killed"))
    assert set(whole["source"]) >= {"random", "replay"}
    assert whole.equals(again)
    levels = whole.groupby(["duration", "seed"]).size()
    assert levels.max() > 1
    one, other = (read_tensors(tmp_path / f / "model.zip", "policy") for f in ("whole", "killed"))
    assert all(torch.equal(one[key], other[key]) for key in one)


STUDENTS: dict[str, Any] = {
    "PPO": partial(PPO, "MlpPolicy"),
    "ARS": partial(ARS, "MlpPolicy"),
    "OverlappedSAC": partial(OverlappedSAC, "MlpPolicy"),
    "ToyGrid": ToyGrid,
}


@pytest.mark.parametrize(
    ("teacher", "student", "said"),
    [
        (PLR, "ToyGrid", "PLR: score=positive_value_loss needs a student with a critic"),
        (PLR, "ARS", "PLR: score=positive_value_loss needs a student with a critic"),
        (PLR, "OverlappedSAC", "PLR: score=positive_value_loss needs a student with a critic"),
        (partial(PLR, robust=True), "PPO", "PLR: robust=True needs a student that can play episodes without"),
        (ACCEL, "PPO", "ACCEL: robust=True needs a student that can play episodes without"),
        (Reader, "ToyGrid", "Reader: Reader needs a student with a critic"),
        (partial(PLR, buffer_size=3), "PPO", "PLR: buffer_size=3 must be at least n_envs=4"),
    ],
    ids=str,
)
def test_what_a_student_cannot_give_is_refused_in_a_sentence(
    teacher: Any, student: str, said: str, tmp_path: Path
) -> None:
    env = None if student == "ToyGrid" else partial(SpacesEnv, "box", "box")
    with pytest.raises(ValueError, match=f"^teacher={said}") as error:
        make_run(env, teacher, STUDENTS[student], tmp_path / "run", n_envs=4, n_workers=0)
    if "buffer_size" not in said:
        assert f"which student={student} is not" in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_simulated_student_alone_refuses_too() -> None:
    student = ToyGrid(seed=0)
    with pytest.raises(ValueError, match="which ToyGrid is not"):
        student.learn(Curriculum(PLR(student.task_space), student.info), 10)
