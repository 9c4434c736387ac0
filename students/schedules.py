"""Finds the settings of an algorithm that change over its budget."""

from __future__ import annotations

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.utils import FloatSchedule, LinearSchedule

_PROGRESS_REMAINING = (1.0, 0.75, 0.5, 0.25, 0.0)
_NAMES = {"lr_schedule": "learning_rate", "exploration_schedule": "exploration_rate"}
"""Stable-Baselines3's internal names of some schedules, and the names that users know."""


def schedules_of(model: BaseAlgorithm) -> list[str]:
    """The settings of an algorithm that depend on how much of the budget is left.

    Args:
        model: Any algorithm of Stable-Baselines3 or sb3-contrib. Schedules of callbacks are not found.
    """
    return [
        _NAMES.get(name, name)
        for name, value in vars(model).items()
        if isinstance(value, (FloatSchedule, LinearSchedule))
        and name != "learning_rate"
        and len({value(progress) for progress in _PROGRESS_REMAINING}) > 1
    ]
