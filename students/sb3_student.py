"""A Stable-Baselines3 algorithm as the student of a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from numpy.random import SeedSequence
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from ..envs.finite import NotFiniteError
from ..evaluation.evaluate import evaluate
from ..evaluation.evaluation import Evaluation
from ..evaluation.metrics import mastered_percent, return_mean
from ..evaluation.task_sets import TaskSet
from ..teachers.recent_episodes import RecentEpisodes
from .curriculum_callback import CurriculumCallback
from .curriculum_vec_env import CurriculumVecEnv
from .forgetting import Forgetting
from .own_loop import OwnLoop
from .saved_student import MODEL_USAGE, model_usage, save_student
from .sb3_policy import Envs, SB3Policy, require_served
from .schedules import schedules_of
from .speed_callback import SpeedCallback
from .student import LearningEvents, Student
from .teacher_feedback import offers_of, teacher_feedback
from .training_state import TrainingState
from .warm_start import model_file, warm_start

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SB3Adapter:
    """Settings of a student that are not arguments of its algorithm.

    Attributes:
        action_repeat: Number of env steps for which each action is held.
        vec_normalize: Arguments of `VecNormalize`, None to leave observations and rewards as they are.
        forget_every: Training steps between resets of the student; None for never.
        load: A run directory or a Stable-Baselines3 file whose networks the student starts with; None for
            new ones.
    """

    action_repeat: int = 1
    vec_normalize: Mapping[str, Any] | None = None
    forget_every: int | None = None
    load: str | None = None

    @classmethod
    def taken_from(cls, settings: dict[str, Any]) -> SB3Adapter:
        """Make one from the settings that are its attributes, which are removed from `settings`."""
        return cls(**{part.name: settings.pop(part.name) for part in fields(cls) if part.name in settings})

    def normalized(self, vec_env: VecEnv) -> VecEnv:
        """The envs, with observations and rewards normalised if requested.

        Raises:
            ValueError: If the observations cannot be normalised.
        """
        if self.vec_normalize is None:
            return vec_env
        if self.vec_normalize.get("norm_obs", True):
            _require_numbers(vec_env.observation_space, self.vec_normalize.get("norm_obs_keys"))
        return VecNormalize(vec_env, **self.vec_normalize)


class SB3Student(Student):
    """Trains a Stable-Baselines3 algorithm on a curriculum, and evaluates it on a set of tasks.

    Args:
        make_algorithm: Makes the algorithm from the keywords `env`, `seed` and `device`.
        vec_env: Training envs.
        test_envs: Test envs: a vector env without autoreset.
        test_set: Test tasks.
        seed: Seeds the algorithm.
        adapter: Settings applied around the algorithm.
        device: Device of the networks, in the format of Stable-Baselines3.
        callbacks: Callbacks of Stable-Baselines3. Their state is not part of checkpoints.

    Attributes:
        model: The algorithm.
    """

    def __init__(
        self,
        make_algorithm: Callable[..., BaseAlgorithm],
        vec_env: CurriculumVecEnv,
        test_envs: VectorEnv[Any, Any, Any],
        test_set: TaskSet,
        seed: SeedSequence,
        adapter: SB3Adapter,
        device: str = "auto",
        callbacks: Sequence[BaseCallback] = (),
    ) -> None:
        self._action_repeat = adapter.action_repeat
        source = None if adapter.load is None else Path(adapter.load).expanduser()
        if source is not None:
            model_file(source)
        seed_of_algorithm = int(seed.generate_state(1)[0])
        wrapped = adapter.normalized(vec_env)
        self.model = make_algorithm(env=wrapped, seed=seed_of_algorithm, device=device)
        require_served(self.model, test_envs)
        for name in TrainingState(self.model).unsaved():
            _log.warning("%s is not part of checkpoints: resumed training would differ", name)
        if source is not None:
            warm_start(self.model, source)
        self._vec_env = vec_env
        self._test_envs, self._test_set = test_envs, test_set
        self._callbacks = list(callbacks)
        self._recent = RecentEpisodes(vec_env.curriculum)
        self._curves = CurriculumCallback(vec_env.curriculum, self._recent)
        self._feedback = teacher_feedback(self.model, vec_env.curriculum)
        self._forgetting: Forgetting | None = None
        if adapter.forget_every is not None:
            self._forgetting = Forgetting(adapter.forget_every, seed_of_algorithm)
        self._own_loop = OwnLoop(self.model, vec_env.num_envs) if OwnLoop.is_that_of(self.model) else None
        self._stored: Mapping[str, Any] | None = None

    @property
    def steps(self) -> int:
        return self._vec_env.steps

    def policy(self, envs: Envs) -> SB3Policy:
        """The current deterministic policy, for raw observations.

        Args:
            envs: The env or vector env to act in.
        """
        return SB3Policy(self.model, envs)

    @property
    def offers(self) -> frozenset[str]:
        """Members of `teachers.teacher.NEEDS` that it provides to teachers."""
        return offers_of(self.model)

    @property
    def scheduled(self) -> Sequence[str]:
        return schedules_of(self.model)

    def learn(self, total_steps: int, events: LearningEvents, logger: Logger) -> None:
        self.model.set_logger(logger)
        callbacks: list[BaseCallback] = [*self._feedback, self._curves]
        if self._forgetting is not None:
            callbacks.append(self._forgetting)
        stored = None if self._stored is None else self._stored["model"]
        callbacks += [
            _Events(events, stored),
            SpeedCallback(lambda: events.evaluation_seconds),
            *self._callbacks,
        ]
        left = total_steps - self.model.num_timesteps
        if self._own_loop is not None:
            callbacks.insert(0, self._own_loop)
            self._own_loop.begin(self.model)
            left = total_steps
        try:
            self.model.learn(left, callback=callbacks, reset_num_timesteps=self._stored is None)
        except Exception:
            # Torch's message about NaN names neither the cause nor the step.
            self._require_finite_weights()
            raise

    def _require_finite_weights(self) -> None:
        for name, weights in self.model.policy.state_dict().items():
            if not torch.isfinite(weights).all():
                raise NotFiniteError(
                    f"{name} of the student's networks is not finite after {self.steps} steps: training has "
                    "diverged, for one because of a learning rate or rewards that are too large"
                )

    def evaluate(self) -> Evaluation:
        self._require_finite_weights()
        policy, test_set = self.policy(self._test_envs), self._test_set
        results = evaluate(policy, self._test_envs, test_set.tasks, test_set.seeds)
        return Evaluation(self.steps, mastered_percent(results), return_mean(results), results)

    def state_dict(self) -> dict[str, Any]:
        self._require_finite_weights()
        return {
            "model": TrainingState(self.model).state_dict(),
            "envs": self._vec_env.state_dict(),
            "recent": self._recent.state_dict(),
            "curves": self._curves.state_dict(),
            "feedback": [each.state_dict() for each in self._feedback],
            "forgetting": None if self._forgetting is None else self._forgetting.state_dict(),
            "own_loop": None if self._own_loop is None else self._own_loop.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._stored = state
        TrainingState(self.model).load_state_dict(state["model"])
        self._vec_env.load_state_dict(state["envs"])
        self._recent.load_state_dict(state["recent"])
        self._curves.load_state_dict(state["curves"])
        for each, stored in zip(self._feedback, state.get("feedback", []), strict=True):
            each.load_state_dict(stored)
        if self._forgetting is not None:
            self._forgetting.load_state_dict(state["forgetting"])
        if self._own_loop is not None:
            self._own_loop.load_state_dict(state["own_loop"])

    def save(self, folder: Path) -> None:
        save_student(self.model, folder)
        usage = model_usage(self.model, self._action_repeat)
        (folder / MODEL_USAGE).write_text(usage)

    def close(self) -> None:
        self._vec_env.close()
        self._test_envs.close()


def _require_numbers(space: spaces.Space[Any], keys: Sequence[str] | None) -> None:
    """Check that observations can be normalised: those under `keys`, or under every key, of a Dict."""
    if isinstance(space, spaces.Dict):
        wrong = [key for key in keys or space if not isinstance(space.get(key), spaces.Box)]
        boxes = [key for key, part in space.items() if isinstance(part, spaces.Box)]
        if wrong and boxes:
            raise ValueError(
                f"vec_normalize normalises arrays of numbers, and observation {wrong[0]!r} is "
                f"{space.get(wrong[0])}: use +student.vec_normalize.norm_obs_keys=[{','.join(boxes)}], or "
                "student.vec_normalize=null"
            )
        if boxes:
            return
    if not isinstance(space, spaces.Box):
        raise ValueError(
            f"vec_normalize normalises arrays of numbers, and the env's observations are {space}: use "
            "student.vec_normalize=null"
        )


class _Events(BaseCallback):
    """Forwards the events of Stable-Baselines3's callbacks.

    Args:
        events: Receiver of the events.
        stored: The state to resume from, whose rest is loaded when the first rollout begins; None to start.
    """

    def __init__(self, events: LearningEvents, stored: Mapping[str, Any] | None) -> None:
        super().__init__()
        self._events = events
        self._stored = stored

    def _on_training_start(self) -> None:
        self._events.on_training_start()

    def _on_step(self) -> bool:
        self._events.on_step()
        return True

    def _on_rollout_start(self) -> None:
        if self._stored is not None:
            TrainingState(self.model).load_at_rollout_start(self._stored)
            self._stored = None
        self._events.on_rollout_start()

    def _on_training_end(self) -> None:
        self._events.on_training_end()
