"""One parameter of a Gymnasium env, as a configuration declares it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from ..task_space import Setting, plain
from .attribute_path import AttributePath, is_number

_WAYS = ("attribute", "factor", "argument", "option")
_KEYS = ("value", *_WAYS, "default", "unit", "easy", "integer", "levels")


class GymnasiumParameter:
    """What one number of a task changes in a Gymnasium env.

    Args:
        name: Name of the parameter in tasks and logs.
        declaration: `value`: [low, high], or a number that fixes it. One of `attribute` (a path, or several
            that all get the number), `factor` (paths whose own value, a number, list or array, is
            multiplied by it), `argument` (of the env's constructor) and `option` (of the env's reset).
            Optionally `default`, `unit`, `easy` ("low" or "high"), `integer` (whether only whole numbers are
            played) and `levels`: an ordered list of values for the env, indexed by the number; `value` is
            then the whole list unless given.

    Raises:
        ValueError: If the declaration is wrong, with the parameter's name and the reason.

    Attributes:
        name: Its name.
        setting: [low, high], or the number that fixes it.
        default: Its value in tasks that do not name it; None for the env's own.
        levels: The values that its whole numbers stand for; None if they stand for themselves.
        integer: Whether only whole numbers are played.
        unit: Its unit.
        easy: The end of the range at which tasks are easy.
        argument: Name of the constructor's argument, if it is one.
        option: Name of the option of reset, if it is one.
        paths: The paths in an env that it sets or multiplies.
    """

    def __init__(self, name: str, declaration: Mapping[str, Any]) -> None:
        self.name = name
        if not isinstance(declaration, Mapping):
            raise ValueError(f"{name}: must have the keys {', '.join(_KEYS)}, got {declaration!r}")
        unknown = [key for key in declaration if key not in _KEYS]
        if unknown:
            raise ValueError(f"{name}: unknown key {unknown[0]!r}; a parameter has {', '.join(_KEYS)}")
        ways = [way for way in _WAYS if declaration.get(way) is not None]
        if len(ways) != 1:
            raise ValueError(f"{name}: must have one of {', '.join(_WAYS)}, got {ways or 'none'}")
        self.levels = _checked_levels(name, declaration.get("levels"))
        integer = declaration.get("integer", False)
        if not isinstance(integer, bool):
            raise ValueError(f"{name}: integer={integer!r} must be true or false")
        self.integer = integer or self.levels is not None
        self.setting = self._checked_setting(declaration.get("value"))
        self.default = declaration.get("default")
        if self.default is not None and not is_number(self.default):
            raise ValueError(f"{name}: default={self.default!r} must be a number")
        self.unit = str(declaration.get("unit", ""))
        self.easy = declaration.get("easy", "low")
        if self.easy not in ("low", "high"):
            raise ValueError(f"{name}: easy={self.easy!r} must be 'low' or 'high'")
        for way in ("argument", "option"):
            if not isinstance(declaration.get(way, ""), str):
                raise ValueError(f"{name}: {way}={declaration[way]!r} must be a name")
        self.argument: str | None = declaration.get("argument")
        self.option: str | None = declaration.get("option")
        self.is_factor = ways == ["factor"]
        texts = declaration.get("factor") or declaration.get("attribute") or []
        try:
            self.paths = [AttributePath(text) for text in ([texts] if isinstance(texts, str) else texts)]
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def _checked_setting(self, value: Any) -> Setting:
        most = None if self.levels is None else len(self.levels) - 1
        if value is None and most is not None:
            return [0, most]
        ends = value if isinstance(value, (list, tuple)) and len(value) == 2 else [value]
        if not all(is_number(end) and np.isfinite(end) for end in ends):
            raise ValueError(f"{self.name}: value={value!r} must be one finite number or [low, high]")
        if most is not None and not all(0 <= end <= most for end in ends):
            raise ValueError(f"{self.name}: value={value!r} must be indices of its {most + 1} levels, from 0")
        return float(value) if is_number(value) else list(ends)

    def what(self, number: float) -> Any:
        """The value that the env is given for a number in a task."""
        if self.levels is not None:
            return self.levels[int(number)]
        return int(number) if self.integer else number

    def number_of(self, own: Any) -> Any:
        """The number that stands for the env's own value.

        Raises:
            ValueError: If there is none.
        """
        if self.levels is None:
            if is_number(own):
                return own
            raise ValueError(
                f"{self.name}: the env's own value is {plain(own)!r}, not a number: give a default"
            )
        for index, level in enumerate(self.levels):
            if np.array_equal(level, own):
                return index
        raise ValueError(
            f"{self.name}: the env's own value {plain(own)!r} is none of its levels: give a default"
        )

    def check_default(self, default: float) -> None:
        """Reject an env's own number outside the range, with a hint at what was probably meant.

        Raises:
            ValueError: If tasks that do not name the parameter would lie outside its range.
        """
        if is_number(self.setting) or self.default is not None:
            return
        low, high = self.setting  # type: ignore[misc]  # a pair, then
        if low < high and not low <= default <= high:
            factor = ""
            if self.paths and not self.is_factor:
                factor = ", or factor instead of attribute if its own number is to be multiplied by the range"
            raise ValueError(
                f"{self.name}: the env's own {float(default):g} does not lie in value=[{low:g}, {high:g}]: "
                f"give a default that does{factor}"
            )

    def read_own(self, env: gym.Env[Any, Any]) -> list[Any]:
        """The values at its paths in an env, one per path.

        Raises:
            ValueError: If a path does not exist, or its value cannot be set or multiplied by this parameter.
        """
        return [self._checked_own(path, env) for path in self.paths]

    def _checked_own(self, path: AttributePath, env: gym.Env[Any, Any]) -> Any:
        try:
            own = path.read(env)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error
        if self.is_factor:
            is_numeric = np.issubdtype(np.asarray(own).dtype, np.number)
            if not is_numeric:
                raise ValueError(
                    f"{self.name}: {path.text} is {plain(own)!r}, not a number, list or array of them"
                )
        elif self.levels is None and not is_number(own):
            raise ValueError(f"{self.name}: {path.text} is {plain(own)!r}, not a number")
        return copy.deepcopy(own)

    def write(self, env: gym.Env[Any, Any], value: Any, own: list[Any]) -> None:
        """Set the values at its paths in an env.

        Args:
            env: The env.
            value: The number, level or factor.
            own: The values when the env was made, as returned by `read_own`.
        """
        for path, before in zip(self.paths, own, strict=True):
            if not self.is_factor:
                path.write(env, value)
            elif isinstance(before, list):
                path.write(env, [element * value for element in before])
            else:
                path.write(env, before * value)


def _checked_levels(name: str, levels: Any) -> list[Any] | None:
    if levels is None or (isinstance(levels, (list, tuple)) and len(levels) > 1):
        return None if levels is None else list(levels)
    raise ValueError(f"{name}: levels={levels!r} must be a list of two or more values, in order")
