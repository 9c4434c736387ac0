"""The space of tasks an env can be reset into: named, bounded, documented parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

Task = NDArray[np.float32]
"""One task as a vector, shape (d,), in the order of its task space."""

RESERVED_NAMES = frozenset(
    {
        *("episode", "step", "return", "length", "success", "seed", "source", "slot"),
        *("task_index", "mastered"),
    }
)
"""Other columns in the logs of episodes and evaluations, whose names no task parameter may have."""

_MOST_WHOLE = 2**23
"""Up to this, float32 represents the halves between whole numbers, which bound an integer's range."""

Setting = float | Sequence[Any] | None
"""A user's setting of an env's parameter: (low, high) to make it part of the task, or a fixed value (a
number, or one per element of a group); None leaves the parameter out."""


class TaskParameter:
    """One named parameter of a task: a number, or a group of `size` numbers under one name.

    Args:
        name: Name of the parameter in configs, logs and `reset` options.
        low: Smallest value, a number or one per element of the group.
        high: Largest value, a number or one per element of the group.
        default: Value in tasks that do not name the parameter; the middle of the range if None.
        unit: SI unit, or "" for a pure number; units that alternate in a group are separated by ", ".
        size: Number of values that the parameter holds.
        easy: The end of the range at which tasks are easy, "low" or "high".
        integer: Whether only whole numbers are played.

    Raises:
        ValueError: If bounds are not finite, reversed, exclude the default, or are too many or too few
            numbers for the group, if `easy` is neither "low" nor "high", or if bounds or default of an
            integer are not whole numbers.

    Attributes:
        box_low: Lower bound of the range that teachers propose in: `low`; half a unit less for an
            integer, so that each whole number is the nearest one in an equal share of the range.
        box_high: Upper bound of that range.
    """

    def __init__(
        self,
        name: str,
        low: ArrayLike,
        high: ArrayLike,
        default: ArrayLike | None = None,
        unit: str = "",
        size: int = 1,
        easy: str = "low",
        integer: bool = False,
    ) -> None:
        if easy not in ("low", "high"):
            raise ValueError(f"{name}: easy={easy!r} must be 'low' or 'high'")
        self.name = name
        self.easy = easy
        self.unit = unit
        self.size = size
        self.integer = integer
        self.low = _per_number(name, low, size)
        self.high = _per_number(name, high, size)
        if not (np.isfinite(self.low).all() and np.isfinite(self.high).all()):
            raise ValueError(f"{name}: bounds {_shown(low, high)} must be finite")
        if not (self.low < self.high).all():
            raise ValueError(f"{name}: bounds {_shown(low, high)} must have low < high")
        middle = (self.low + self.high) / 2
        if default is None:
            default = np.rint(middle) if integer else middle
        self.default = _per_number(name, default, size)
        if not ((self.low <= self.default) & (self.default <= self.high)).all():
            raise ValueError(f"{name}: default {plain(default)} must lie in {_shown(low, high)}")
        if integer:
            for what, value in (("low", low), ("high", high), ("default", default)):
                if not _are_whole(value):
                    raise ValueError(
                        f"{name}: {what} {plain(value)} of an integer must be whole, at most {_MOST_WHOLE:,}"
                    )
        margin = 0.5 if integer else 0.0
        self.box_low, self.box_high = self.low - margin, self.high + margin

    @property
    def columns(self) -> list[str]:
        """One name per number: the parameter's own, or `name_0`, `name_1`, … for a group."""
        return [self.name] if self.size == 1 else [f"{self.name}_{i}" for i in range(self.size)]

    @property
    def units(self) -> list[str]:
        """The unit of each number."""
        turns = self.unit.split(", ")
        return [turns[i % len(turns)] for i in range(self.size)]


def _per_number(name: str, value: ArrayLike, size: int) -> NDArray[np.float32]:
    array = np.asarray(value, dtype=np.float32)
    if array.shape not in ((), (1,), (size,)):
        raise ValueError(f"{name}: {plain(value)} must be one number, or one for each of its {size}")
    return np.broadcast_to(array, (size,))


def _are_whole(value: ArrayLike) -> bool:
    numbers = np.asarray(value, dtype=np.float64)
    return bool((numbers == np.rint(numbers)).all() and (np.abs(numbers) <= _MOST_WHOLE).all())


def plain(value: Any) -> Any:
    """Convert NumPy numbers and arrays to Python numbers, which print in a readable way."""
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def _shown(low: ArrayLike, high: ArrayLike) -> str:
    return f"[{plain(low)}, {plain(high)}]"


class TaskSpace:
    """An ordered set of task parameters, and the conversion between vectors and dicts.

    A task is a float32 vector of shape (d,), where d is the sum of the parameters' sizes, or equivalently a
    dict from parameter name to a number (or to a sequence, for a group).

    Teachers propose points of a continuous box. The task that is played is `rounded`: integers are rounded,
    everything else is kept. Envs do this themselves (`to_vector`), so a proposal can be passed as it is.

    Args:
        parameters: The parameters, in the order of their numbers in a task vector.

    Raises:
        ValueError: If there is no parameter, two share a name, or one has a name of `RESERVED_NAMES`.

    Attributes:
        low: Lower corner of the box, float32 of shape (d,).
        high: Upper corner of the box, float32 of shape (d,).
        default: The task used if none is given, float32 of shape (d,).
        columns: One column name per number of a task vector.
        units: Units by column name, for columns that have one.
        box: The box as a Gymnasium space, for code that needs one. It is never sampled here:
            random numbers come from the generator that the caller passes.
    """

    def __init__(self, parameters: Sequence[TaskParameter]) -> None:
        if not parameters:
            raise ValueError("a task space needs at least one parameter")
        self.parameters = tuple(parameters)
        self.columns = [column for p in parameters for column in p.columns]
        units = [unit for p in parameters for unit in p.units]
        self.units = {column: unit for column, unit in zip(self.columns, units, strict=True) if unit}
        if len(set(self.columns)) != len(self.columns):
            raise ValueError(f"parameter names must differ, got {self.columns}")
        reserved = sorted(RESERVED_NAMES.intersection(self.columns))
        if reserved:
            raise ValueError(
                f"the logs have columns of their own called {reserved}: name parameters otherwise"
            )
        self.low = np.concatenate([p.box_low for p in parameters])
        self.high = np.concatenate([p.box_high for p in parameters])
        self.default = np.concatenate([p.default for p in parameters])
        self._is_integer = np.repeat([p.integer for p in parameters], [p.size for p in parameters])
        self._has_integers = bool(self._is_integer.any())
        self._least = np.concatenate([p.low for p in parameters])
        self._most = np.concatenate([p.high for p in parameters])
        self._start = self.low.astype(np.float64)
        self._width = self.high.astype(np.float64) - self._start
        self.box = spaces.Box(self.low, self.high, dtype=np.float32)
        ends = np.cumsum([p.size for p in parameters])
        self._slices = {
            p.name: slice(int(end) - p.size, int(end)) for p, end in zip(parameters, ends, strict=True)
        }

    @property
    def names(self) -> list[str]:
        """The parameters' names, in order."""
        return list(self._slices)

    @property
    def dim(self) -> int:
        """Number of dimensions of a task vector."""
        return len(self.low)

    def sample(self, rng: np.random.Generator, n: int | None = None) -> Task:
        """Draw one point of shape (d,), or `n` of shape (n, d), uniformly over the box."""
        size = self.dim if n is None else (n, self.dim)
        return self.denormalize(rng.random(size))

    def clip(self, task: ArrayLike) -> Task:
        """Return the nearest point of the box, for one point or an array of them."""
        return np.asarray(task, dtype=np.float32).clip(self.low, self.high)

    def rounded(self, task: ArrayLike) -> Task:
        """The tasks that are played for points of the box, shape (…, d)."""
        vector = np.asarray(task, dtype=np.float32)
        if not self._has_integers:
            return vector
        # Halves are rounded to even numbers, which may be out of range; + 0.0 turns -0 into 0.
        whole = np.rint(vector).clip(self._least, self._most) + 0.0
        return np.where(self._is_integer, whole, vector)

    def contains(self, task: ArrayLike) -> bool:
        """Whether `task` is one point of the box: a vector of the right shape, finite and within bounds."""
        vector = np.asarray(task)
        return (
            vector.shape == self.low.shape
            and bool((vector >= self.low).all())
            and bool((vector <= self.high).all())
        )

    def normalize(self, task: ArrayLike) -> NDArray[np.float64]:
        """Map tasks, shape (…, d), to [0, 1]^d."""
        return (np.asarray(task, dtype=np.float64) - self._start) / self._width

    def denormalize(self, unit: ArrayLike) -> Task:
        """Map points of [0, 1]^d, shape (…, d), to the box: the inverse of `normalize`."""
        # Rounding to float32 may step over a bound, hence the clip.
        return self.clip(self._start + np.asarray(unit, dtype=np.float64) * self._width)

    def to_dict(self, task: ArrayLike) -> dict[str, Any]:
        """Convert one task vector to a dict, rounded: floats and ints, or arrays of them for groups."""
        vector = self.rounded(task)
        named: dict[str, Any] = {}
        for p in self.parameters:
            numbers = vector[self._slices[p.name]]
            if p.integer:
                numbers = numbers.astype(np.int64)
            named[p.name] = numbers if p.size > 1 else numbers.item()
        return named

    def shown(self, task: ArrayLike) -> str:
        """A task for messages, as `speed=0.1, shape_0=3`, exact enough to play it again."""
        named = zip(self.columns, self.rounded(task), self._is_integer, strict=True)
        return ", ".join(f"{column}={int(x) if whole else str(x)}" for column, x, whole in named)

    def to_vector(self, task: ArrayLike | Mapping[str, ArrayLike] | None) -> Task:
        """Turn a task in any accepted form into a checked vector.

        Args:
            task: A vector in the order of `columns`, a dict by parameter name (missing parameters take
                their default), or None for the default task.

        Returns:
            The task, float32 of shape (d,), with integers rounded.

        Raises:
            ValueError: If a name is unknown, a shape is wrong, or a value is not within its bounds.
        """
        if task is None:
            return self.default.copy()
        if isinstance(task, Mapping):
            vector = self.default.copy()
            for name, value in task.items():
                if name not in self._slices:
                    raise ValueError(f"unknown task parameter {name!r}; this env has {self.names}")
                vector[self._slices[name]] = value
        else:
            vector = np.array(task, dtype=np.float32)
        if vector.shape != self.low.shape:
            raise ValueError(
                f"a task of this env has shape {self.low.shape} {self.columns}, got {vector.shape}"
            )
        if not self.contains(vector):
            is_outside = ~((vector >= self.low) & (vector <= self.high))
            first = int(np.flatnonzero(is_outside)[0])
            raise ValueError(
                f"task {self.columns[first]}={vector[first]:g} must lie in "
                f"[{self._least[first]:g}, {self._most[first]:g}]"
            )
        return self.rounded(vector)


@dataclass(frozen=True)
class Quantity:
    """Properties of an env's parameter that do not depend on its range.

    Attributes:
        unit: SI unit, or "" for a pure number.
        easy: The end of its range at which tasks are easy, "low" or "high".
        size: Number of values that it holds.
        default: Its value in tasks that do not name it, or "easy" for the easy end of its range; the middle
            if None.
        integer: Whether only whole numbers are played.
        most: Largest absolute value that the env can play.
    """

    unit: str = ""
    easy: str = "low"
    size: int = 1
    default: float | Literal["easy"] | None = None
    integer: bool = False
    most: float = math.inf


class TaskSettings:
    """Which of an env's parameters are part of the task, and the values of the others.

    Args:
        settings: For each parameter a pair of bounds, a fixed value, or None, which leaves it out.
        quantities: Properties of the parameters; a parameter that is not listed is a plain number.

    Raises:
        ValueError: If bounds are not a finite, increasing pair or exclude the default, an integer's values
            are not whole, a value is more than the env can play, or no parameter is part of the task.

    Attributes:
        space: The task space of the parameters that were given bounds.
        fixed: The values of the others: floats and ints, or arrays of them for groups.
    """

    def __init__(self, settings: Mapping[str, Setting], quantities: Mapping[str, Quantity]) -> None:
        parameters = []
        self.fixed: dict[str, Any] = {}
        for name, setting in settings.items():
            quantity = quantities.get(name, Quantity())
            if setting is None:
                continue
            if isinstance(setting, (int, float)):
                self.fixed[name] = _fixed(name, setting, quantity)
            elif len(setting) == 2:
                parameters.append(_task_parameter(name, quantity, *setting))
            elif len(setting) == quantity.size:
                self.fixed[name] = _fixed(name, setting, quantity)
            else:
                values = "" if quantity.size == 1 else f", {quantity.size} numbers"
                raise ValueError(f"{name}={list(setting)} must be one number{values} or [low, high]")
        if not parameters:
            raise ValueError(f"at least one of {list(settings)} must have bounds [low, high]")
        self.space = TaskSpace(parameters)

    def values_in(self, task: Task) -> dict[str, Any]:
        """The value of every parameter in one task, shape (d,): the fixed ones and the task's."""
        return self.fixed | self.space.to_dict(task)


def _require_playable(name: str, values: NDArray[np.floating], quantity: Quantity) -> None:
    beyond = values[np.abs(values) > quantity.most]
    if len(beyond):
        raise ValueError(f"{name}={beyond[0]:g} must lie in [{-quantity.most:g}, {quantity.most:g}]")


def _task_parameter(name: str, quantity: Quantity, low: ArrayLike, high: ArrayLike) -> TaskParameter:
    default: ArrayLike | None = quantity.default
    if default == "easy":
        default = low if quantity.easy == "low" else high
    parameter = TaskParameter(
        name, low, high, default, quantity.unit, quantity.size, quantity.easy, quantity.integer
    )
    _require_playable(name, np.concatenate([parameter.low, parameter.high]), quantity)
    return parameter


def _fixed(name: str, value: float | Sequence[float], quantity: Quantity) -> Any:
    array = np.broadcast_to(np.asarray(value, dtype=np.float64), (quantity.size,))
    if not np.isfinite(array).all():
        raise ValueError(f"{name}={value} must be finite")
    _require_playable(name, array, quantity)
    if quantity.integer:
        if not _are_whole(array):
            raise ValueError(f"{name}={value} must be a whole number: it is an integer")
        array = array.astype(np.int64)
    return array if quantity.size > 1 else array[0].item()
