"""Distributions over tasks that a user gives to a teacher: the initial one and the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task_space import TaskParameter, TaskSpace

Floats = NDArray[np.float64]

Description = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
"""A distribution in task units: for each parameter a number, `[low, high]` for the uniform distribution
between two numbers, or `{mean: …, std: …}` for a Gaussian; a list of these is a mixture of equal weights."""


@dataclass(frozen=True)
class TaskDistribution:
    """A mixture of `k` components of equal weight, in each of which parameters are independent.

    A number of a task is uniform between `low` and `high`, or Gaussian with a mean and a standard deviation
    and clipped to the task space; attributes that do not apply are NaN.

    Attributes:
        space: The task space.
        low: Shape (k, d).
        high: Shape (k, d).
        mean: Shape (k, d).
        std: Shape (k, d).
    """

    space: TaskSpace
    low: Floats
    high: Floats
    mean: Floats
    std: Floats

    def sample(self, rng: np.random.Generator, n: int) -> NDArray[np.float32]:
        """Draw tasks, float32 of shape (n, d)."""
        component = rng.integers(len(self.low), size=n)
        places, noise = rng.random((n, self.space.dim)), rng.standard_normal((n, self.space.dim))
        low, high = self.low[component], self.high[component]
        gaussian = self.mean[component] + self.std[component] * noise
        return self.space.clip(np.where(np.isnan(gaussian), low + places * (high - low), gaussian))

    def moments(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each number in each component, shapes (k, d).

        For Gaussians, these are the values before clipping.
        """
        is_uniform = np.isnan(self.mean)
        mean = np.where(is_uniform, (self.low + self.high) / 2, self.mean)
        return mean, np.where(is_uniform, (self.high - self.low) / np.sqrt(12), self.std)


def uniform_over(low: Any, high: Any, space: TaskSpace) -> TaskDistribution:
    """The uniform distribution over a box with corners of shape (d,)."""
    low, high = (np.asarray(corner, dtype=np.float64)[None] for corner in (low, high))
    nothing = np.full((1, space.dim), np.nan)
    return TaskDistribution(space, low, high, nothing, nothing)


def gaussian_around(mean: Any, std: Any, space: TaskSpace) -> TaskDistribution:
    """Independent Gaussians with means and standard deviations of shape (d,)."""
    mean, std = (np.asarray(moment, dtype=np.float64)[None] for moment in (mean, std))
    nothing = np.full((1, space.dim), np.nan)
    return TaskDistribution(space, nothing, nothing, mean, std)


def task_distribution(
    description: Description, otherwise: TaskDistribution, name: str, kinds: Sequence[str]
) -> TaskDistribution:
    """Turn a description into a distribution.

    Args:
        description: See `Description`; None for `otherwise`.
        otherwise: Distribution of parameters that are not named, with one component.
        name: Name of the argument, for messages.
        kinds: Kinds that the teacher accepts, of "uniform" (numbers and bounds), "gaussian" and "mixture".

    Raises:
        ValueError: If a parameter is unknown, a value is malformed or not within its bounds, or the teacher
            does not accept this kind of distribution.
    """
    if description is None:
        return otherwise
    space = otherwise.space
    components = [description] if isinstance(description, Mapping) else description
    if not isinstance(components, Sequence) or not components or isinstance(components, str):
        raise ValueError(f"{name}={description!r} must be a dict of parameters, or a list of them")
    if len(components) > 1 and "mixture" not in kinds:
        raise ValueError(f"{name} must be one distribution, got {len(components)}")
    arrays = [np.repeat(a, len(components), axis=0) for a in _arrays(otherwise)]
    columns = {p.name: [space.columns.index(column) for column in p.columns] for p in space.parameters}
    parameters = {p.name: p for p in space.parameters}
    for k, component in enumerate(components):
        if not isinstance(component, Mapping):
            raise ValueError(f"{name}={description!r} must be a dict of parameters, or a list of them")
        for key, value in component.items():
            if key not in parameters:
                raise ValueError(f"{name}.{key} must be one of the task's parameters {space.names}")
            marginal = _marginal(f"{name}.{key}", value, parameters[key], kinds)
            for array, numbers in zip(arrays, marginal, strict=True):
                array[k, columns[key]] = numbers
    return TaskDistribution(space, *arrays)


def _arrays(distribution: TaskDistribution) -> tuple[Floats, Floats, Floats, Floats]:
    return distribution.low, distribution.high, distribution.mean, distribution.std


def _marginal(
    name: str, value: Any, parameter: TaskParameter, kinds: Sequence[str]
) -> tuple[Floats, Floats, Floats, Floats]:
    """low, high, mean and std of one parameter, each of shape (size,)."""
    nothing = np.full(parameter.size, np.nan)
    if isinstance(value, Mapping):
        if set(value) != {"mean", "std"}:
            raise ValueError(f"{name}={dict(value)} must have the keys mean and std")
        if "gaussian" not in kinds:
            raise ValueError(f"{name}={dict(value)} must be a number or [low, high]")
        mean, std = (_numbers(f"{name}.{key}", value[key], parameter) for key in ("mean", "std"))
        if not (std > 0).all():
            raise ValueError(f"{name}.std={value['std']} must be above 0")
        _require_within(f"{name}.mean", value["mean"], mean, parameter)
        return nothing, nothing, mean, std
    if "uniform" not in kinds:
        raise ValueError(f"{name}={value!r} must be {{mean: …, std: …}}")
    bounds = value if isinstance(value, Sequence) and not isinstance(value, str) else [value, value]
    if len(bounds) != 2:
        raise ValueError(f"{name}={value!r} must be a number, [low, high] or {{mean: …, std: …}}")
    low, high = (_numbers(name, bound, parameter) for bound in bounds)
    for corner in (low, high):
        _require_within(name, value, corner, parameter)
    if not (low <= high).all():
        raise ValueError(f"{name}={value!r} must have low <= high")
    return low, high, nothing, nothing


def _numbers(name: str, value: Any, parameter: TaskParameter) -> Floats:
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    if numbers.shape not in ((), (parameter.size,)) or not np.isfinite(numbers).all():
        one_each = "" if parameter.size == 1 else f", or {parameter.size} of them"
        raise ValueError(f"{name}={value!r} must be a finite number{one_each}")
    return np.broadcast_to(numbers, (parameter.size,))


def _require_within(name: str, shown: Any, numbers: Floats, parameter: TaskParameter) -> None:
    if not ((parameter.low <= numbers) & (numbers <= parameter.high)).all():
        low, high = (np.unique(bound).tolist() for bound in (parameter.low, parameter.high))
        raise ValueError(f"{name}={shown} must lie in [{min(low):g}, {max(high):g}]")
