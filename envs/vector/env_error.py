"""Errors raised by envs, with the episode in which they occurred."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from numpy.typing import ArrayLike

from ..user_code import called_code, user_code


class EnvError(RuntimeError):
    """An env raised an error; the message names env, method, task and seed.

    Args:
        sentence: The message.
        code: The traceback of the env's own code, "" if there is none.

    Attributes:
        code: The traceback of the env's own code, "" if there is none.
    """

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        if code:
            self.add_note(code)

    @classmethod
    def of(
        cls,
        error: Exception,
        env: gym.Env[Any, Any] | None,
        doing: str,
        task: ArrayLike | None = None,
        seed: int | None = None,
    ) -> EnvError:
        """Describe an error of an env.

        Args:
            error: The error that it raised.
            env: The env; None if it could not be made.
            doing: The method that raised it.
            task: The task, as a vector.
            seed: The seed of the episode.
        """
        said = " ".join(str(error).split())
        what = f"{type(error).__name__}{said and f': {said}'}"
        where = f"{_name(env)}: {doing} raised {what}"
        if env is not None:
            where += f"; task {'default' if task is None else _by_name(env, task)}, seed {seed}"
        return cls(where, user_code(error) or called_code(error))


class ErrorsNamed(gym.Wrapper[Any, Any, Any, Any]):
    """Turns an env's errors into `EnvError`s, which name the episode."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self._episode: tuple[Any, int | None] = (None, None)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self._episode = ((options or {}).get("task"), seed)
        try:
            return self.env.reset(seed=seed, options=options)
        except Exception as error:
            raise EnvError.of(error, self.env, "reset", *self._episode) from error

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        try:
            return self.env.step(action)
        except Exception as error:
            raise EnvError.of(error, self.env, "step", *self._episode) from error

    def render(self) -> Any:
        try:
            return self.env.render()
        except Exception as error:
            raise EnvError.of(error, self.env, "render", *self._episode) from error


def _name(env: gym.Env[Any, Any] | None) -> str:
    if env is None:
        return "env"
    spec = env.unwrapped.spec
    return type(env.unwrapped).__name__ if spec is None else spec.id


def _by_name(env: gym.Env[Any, Any] | None, task: ArrayLike) -> Any:
    """A task by the names of its parameters, if they are known."""
    if env is not None and env.has_wrapper_attr("task_space"):
        return env.get_wrapper_attr("task_space").to_dict(task)
    return task
