"""Any Gymnasium env with tasks: a configuration says which of its numbers a task sets."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec

from ..importing import import_named, require_no_paths
from ..same_value import same_value
from ..task_space import Quantity, Task, TaskSettings
from .attribute_path import is_number
from .env_maker import EnvMaker, EnvWrapper, find_maker, one_line
from .parameter import GymnasiumParameter
from .time_limit import time_limit

_PLAYABLE: list[tuple[Any, ...]] = []
"""The configurations whose bounds this process has tried with success."""
_LONGEST_STEP = 30.0
"""In seconds; long enough for a simulator that compiles in its first step."""


class GymnasiumEnv(gym.Wrapper[Any, Any, Any, Any]):
    """A Gymnasium env some of whose numbers form the task.

    All parameters are set before every episode, so that nothing of one task is left in the next. Every
    episode is played in a new env, unless `reuse` says that one env can play them all independently. The
    first env of a configuration in a process plays a step at each bound of each parameter, with a limit of
    30 s each.

    Args:
        env_id: The id of a registered env (`module:id` imports a module that registers it), a spec, or a
            function or class that makes an env, or its import path with dots.
        parameters: Declaration of each parameter, by name; see `GymnasiumParameter`.
        return_range: Lowest and highest episode return, for teachers that want returns in [0, 1].
        mastered_return: A task is mastered in an episode whose return is above this.
        arguments: Further arguments of the env's constructor.
        after_setting: A function, or its import path, that is called with the unwrapped env after its
            parameters are set and before it is reset, for attributes that the env derives only once.
        reuse: Whether one env plays all episodes, if its constructor's arguments allow it; saves the time of
            making envs.
        max_episode_steps: Number of steps after which an episode is truncated; None leaves it to the env, or
            to its registration.
        wrappers: Wrappers of the env, innermost first: functions of an env, or their import paths.
        render_mode: The env's render mode, if any, as its constructor takes it.

    Raises:
        ValueError: If the env cannot be made, a path in it does not exist, or it rejects a parameter's lowest
            or highest value; with env, parameter and reason.

    Attributes:
        task_space: The space of this env's tasks.
        return_range: As given.
        mastered_return: As given.
    """

    def __init__(
        self,
        env_id: str | EnvSpec | EnvMaker,
        parameters: Mapping[str, Mapping[str, Any]],
        return_range: Sequence[float],
        mastered_return: float,
        arguments: Mapping[str, Any] | None = None,
        after_setting: str | Callable[[Any], None] | None = None,
        reuse: bool = False,
        max_episode_steps: int | None = None,
        wrappers: Sequence[str | EnvWrapper] = (),
        render_mode: str | None = None,
    ) -> None:
        self.env_id = env_id
        self.reuse = reuse
        self._constants = dict(arguments or {})
        self._varied: dict[str, Any] = {}
        self._is_used = False
        try:
            require_no_paths(self._constants)
            self.return_range, self.mastered_return = _checked_returns(return_range, mastered_return)
            self._parameters = _read_parameters(parameters)
            self._after_setting = (
                import_named(after_setting) if isinstance(after_setting, str) else after_setting
            )
            self._make, own_arguments = find_maker(env_id, max_episode_steps, wrappers)
            defaults = {p.name: self._default_of(p, own_arguments) for p in self._parameters}
            super().__init__(
                self._made({p.argument: p.what(defaults[p.name]) for p in self._parameters if p.argument})
            )
            # Envs are replaced, but these spaces stay, so that a seeded space remains seeded.
            self.action_space, self.observation_space = self.env.action_space, self.env.observation_space
            self._remember_own()
            self._settings = self._settle(defaults)
            self.task_space = self._settings.space
            default = self._varied
            configuration = (
                *(env_id, copy.deepcopy(parameters), dict(self._constants), after_setting, reuse),
                *(max_episode_steps, wrappers),
            )
            if not any(same_value(configuration, playable) for playable in _PLAYABLE):
                self._try_bounds()
                _PLAYABLE.append(configuration)
            if render_mode is not None:
                # Set only here, so that no window opens while the bounds are tried.
                self._constants["render_mode"] = render_mode
            if self._is_used or render_mode is not None:
                self._renew(default, keep_generator=False)
        except (AssertionError, TypeError, ValueError, gym.error.Error) as error:
            raise ValueError(f"{self._name}: {one_line(error)}") from error

    @property
    def _name(self) -> str:
        """Name of the env."""
        if isinstance(self.env_id, str):
            return self.env_id
        return str(getattr(self.env_id, "id", getattr(self.env_id, "__name__", "env")))

    @property
    def spec(self) -> EnvSpec | None:  # type: ignore[override]  # a property in gymnasium.Wrapper, too
        """The spec that `gymnasium.make` made it from, if any; that of the inner env makes another env."""
        spec = self.env.unwrapped.spec
        return spec if spec is not None and spec.name == type(self).__name__ else None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode in a task.

        Args:
            seed: Seeds the env; None continues with its previous generator.
            options: `{"task": vector or dict}`, the default task if absent; the rest is passed to the env.

        Returns:
            The env's observation, and its info with `{"task": vector}`.

        Raises:
            ValueError: If the task is not in the task space.
        """
        given = dict(options or {})
        task = self.task_space.to_vector(given.pop("task", None))
        given |= self._set(self._values_in(task), keep_generator=seed is None)
        observation, info = self.env.reset(seed=seed, options=given or None)
        self._is_used = True
        self._return = 0.0
        return observation, {**info, "task": task}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Advance the env by one step; the info of an episode's last step has `is_success`."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._return += float(reward)
        # Mastery is judged here, at the end of the episode, even if the env reports success at every step.
        info = {key: value for key, value in info.items() if key != "is_success"}
        if terminated or truncated:
            info["is_success"] = self._return > self.mastered_return
        return observation, float(reward), bool(terminated), bool(truncated), info

    def _values_in(self, task: Task) -> dict[str, Any]:
        # The shortest number that a float32 stands for: 0.1, where its double would be 0.10000000149.
        decided = (float(str(value)) for value in task)
        numbers = self._settings.fixed | dict(zip(self.task_space.columns, decided, strict=True))
        return {p.name: p.what(numbers[p.name]) for p in self._parameters}

    def _set(self, values: Mapping[str, Any], keep_generator: bool) -> dict[str, Any]:
        """Give every parameter its value; returns the options for the env's reset."""
        varied = {p.argument: values[p.name] for p in self._parameters if p.argument}
        if varied != self._varied or (self._is_used and not self.reuse):
            self._renew(varied, keep_generator)
        for parameter, own in zip(self._parameters, self._own, strict=True):
            parameter.write(self.env, values[parameter.name], own)
        if self._after_setting is not None:
            self._after_setting(self.env.unwrapped)
        return {p.option: values[p.name] for p in self._parameters if p.option}

    def _made(self, varied: Mapping[str, Any]) -> gym.Env[Any, Any]:
        self._varied = dict(varied)
        try:
            return self._make(**self._constants | self._varied)
        except Exception as error:  # third-party code may raise anything
            shown = ", ".join(f"{key}={value!r}" for key, value in (self._constants | self._varied).items())
            raise ValueError(f"cannot be made with ({shown}): {one_line(error)}") from error

    def _renew(self, varied: Mapping[str, Any], keep_generator: bool) -> None:
        generator = self.env.unwrapped.np_random if keep_generator and self._is_used else None
        spec = self.spec
        self.env.close()
        self.env = self._made(varied)
        if spec is not None:
            self.env.unwrapped.spec = spec
        self._is_used = False
        self._remember_own()
        if generator is not None:
            self.env.unwrapped.np_random = generator

    def _remember_own(self) -> None:
        self._own = [parameter.read_own(self.env) for parameter in self._parameters]

    def _default_of(self, parameter: GymnasiumParameter, own_arguments: Mapping[str, Any]) -> Any:
        """The value of a parameter in tasks that do not name it; None if it is read at its path."""
        if is_number(parameter.setting):
            return parameter.setting
        if parameter.argument is not None and parameter.argument in self._constants:
            raise ValueError(f"{parameter.name}: {parameter.argument} is fixed in arguments already")
        if parameter.default is not None:
            return parameter.default
        if parameter.paths:
            return parameter.number_of(1.0) if parameter.is_factor else None
        own = own_arguments.get(parameter.argument or "", inspect.Parameter.empty)
        if own is inspect.Parameter.empty or own is None:
            known = f" (its constructor takes {', '.join(own_arguments)})" if parameter.argument else ""
            raise ValueError(
                f"{parameter.name}: the env has no value of its own for it{known}: give a default"
            )
        return parameter.number_of(own)

    def _settle(self, defaults: Mapping[str, Any]) -> TaskSettings:
        quantities = {}
        for p, own in zip(self._parameters, self._own, strict=True):
            default = p.number_of(own[0]) if defaults[p.name] is None else defaults[p.name]
            p.check_default(default)
            quantities[p.name] = Quantity(p.unit, p.easy, default=default, integer=p.integer)
        return TaskSettings({p.name: p.setting for p in self._parameters}, quantities)

    def _try_bounds(self) -> None:
        """Play a step at the lowest and highest value of each parameter, and at each of its levels."""
        fixed = ", ".join(f"{p.name} {p.setting:g}" for p in self._parameters if is_number(p.setting))
        self._try({}, f"the default task{f' with {fixed}' if fixed else ''}")
        has_levels = {p.name for p in self._parameters if p.levels is not None}
        for parameter in self.task_space.parameters:
            low, high = parameter.low.item(), parameter.high.item()
            for value in range(int(low), int(high) + 1) if parameter.name in has_levels else (low, high):
                self._try({parameter.name: value}, f"{parameter.name}={value:g}")

    def _try(self, task: Mapping[str, float], what: str) -> None:
        try:
            first, _ = self.reset(seed=0, options={"task": task})
            actions = copy.deepcopy(self.action_space)
            actions.seed(0)
            with time_limit(_LONGEST_STEP, "a step"):
                second, reward, *_ = self.step(actions.sample())
        except Exception as error:
            raise ValueError(f"{what} cannot be played: {one_line(error)}") from error
        if (self.env.observation_space, self.env.action_space) != (self.observation_space, self.action_space):
            raise ValueError(f"{what} changes the env's observation or action space")
        if not all(map(_is_finite, (first, second, reward))):
            raise ValueError(f"{what} gives observations or rewards that are not finite")


def _checked_returns(return_range: Any, mastered: Any) -> tuple[tuple[float, float], float]:
    is_pair = isinstance(return_range, (list, tuple)) and len(return_range) == 2
    if not (is_pair and all(map(is_number, return_range)) and return_range[0] < return_range[1]):
        raise ValueError(f"return_range={return_range!r} must be [low, high]")
    low, high = map(float, return_range)
    if not is_number(mastered) or not low <= mastered <= high:
        raise ValueError(f"mastered_return={mastered!r} must be a number in return_range=[{low:g}, {high:g}]")
    return (low, high), float(mastered)


def _is_finite(seen: Any) -> bool:
    if isinstance(seen, (Mapping, list, tuple)):
        return all(map(_is_finite, seen.values() if isinstance(seen, Mapping) else seen))
    numbers = np.asarray(seen)
    return numbers.dtype.kind not in "fc" or bool(np.isfinite(numbers).all())


def _read_parameters(declared: Any) -> list[GymnasiumParameter]:
    if not isinstance(declared, Mapping) or not declared:
        raise ValueError("parameters must name at least one number that a task decides")
    parameters = [GymnasiumParameter(str(name), value) for name, value in declared.items()]
    for one, other in combinations(parameters, 2):
        is_same = any(mine.overlaps(theirs) for mine in one.paths for theirs in other.paths)
        for way in ("argument", "option"):
            is_same |= getattr(one, way) is not None and getattr(one, way) == getattr(other, way)
        if is_same:
            raise ValueError(f"{one.name} and {other.name} act on the same number")
    return parameters
