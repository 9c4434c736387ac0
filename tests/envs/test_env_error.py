"""Errors raised by envs, and where they were raised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.envs import AsyncTaskVectorEnv, EnvError, SyncTaskVectorEnv
from chiron.envs.task_space import TaskParameter
from chiron.envs.user_code import user_code
from chiron.envs.vector.env_error import ErrorsNamed

from tests.countdown_env import CountdownEnv


class Raising(CountdownEnv):
    """Raises in the method selected by the first number of its task."""

    def reset(self, **arguments: Any) -> Any:
        seen = super().reset(**arguments)
        if self._left == 1:
            raise KeyError("wheel")
        return seen

    def step(self, action: Any) -> Any:
        return divide(1.0, self._left - 2) if self._left == 2 else super().step(action)


def divide(one: float, other: float) -> Any:
    return one / other


def play(envs: Any, tasks: Any) -> None:
    envs.reset(seed=[4, 7], options={"task": tasks})
    envs.step(np.zeros((2, 1), dtype=np.float32))


def error_of(envs: Any, duration: float) -> EnvError:
    tasks = np.array([[10, 0], [duration, 0.5]], dtype=np.float32)
    try:
        with pytest.raises(EnvError) as raised:
            play(envs, tasks)
    finally:
        envs.close()
    return raised.value


def test_what_drawing_raises_says_in_which_episode() -> None:
    class Undrawable(CountdownEnv):
        def render(self) -> Any:
            raise OverflowError("too far to the right")

    env = ErrorsNamed(Undrawable())
    env.reset(seed=3, options={"task": [4.0, 1.0]})
    with pytest.raises(EnvError, match=r"render raised OverflowError: too far .*'duration': 4\.0.*, seed 3"):
        env.render()


@pytest.mark.medium
@pytest.mark.parametrize(
    ("duration", "sentence", "last_frame"),
    [
        (1, "Raising: reset raised KeyError: 'wheel'", 'raise KeyError("wheel")'),
        (2, "Raising: step raised ZeroDivisionError: float division by zero", "return one / other"),
    ],
)
def test_an_error_is_the_same_in_process_and_in_workers(
    duration: int, sentence: str, last_frame: str
) -> None:
    here = error_of(SyncTaskVectorEnv([Raising] * 2), duration)
    there = error_of(AsyncTaskVectorEnv([Raising] * 2, 1), duration)
    assert str(here) == str(there) == f"{sentence}; task {{'duration': {duration}.0, 'worth': 0.5}}, seed 7"
    assert here.code == there.code
    head, *frames, last = here.code.splitlines()
    assert head == "Traceback (most recent call last):"
    assert "test_env_error.py" in frames[0]
    assert last_frame in here.code
    assert last in sentence
    assert "vector_env.py" not in here.code


def test_what_this_package_raises_is_no_code_of_the_users() -> None:
    with pytest.raises(ValueError, match="low < high") as raised:
        TaskParameter("height", 3, 1)
    assert user_code(raised.value) == ""
    with pytest.raises(ZeroDivisionError) as theirs:
        divide(1, 0)
    assert "return one / other" in user_code(theirs.value)


def test_what_a_compiled_library_raises_is_no_code_of_the_users() -> None:
    with pytest.raises(ValueError, match="low >= high") as raised:
        np.random.default_rng(0).integers(1, 0)
    assert "integers(1, 0)" in user_code(raised.value)
    assert raised.value.__traceback__ is not None
    compiled = raised.value.__traceback__.tb_next
    assert compiled is not None
    assert user_code(raised.value.with_traceback(compiled)) == ""
