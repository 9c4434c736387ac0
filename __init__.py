"""Chiron: teachers choose, episode by episode, which task a Stable-Baselines3 student trains on."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .students import CurriculumVecEnv as CurriculumVecEnv
    from .teachers import Curriculum as Curriculum

_PLACES = {
    "Curriculum": ".teachers.curriculum",
    "CurriculumVecEnv": ".students.curriculum_vec_env",
}
"""Where each public name is defined; nothing is imported before it is asked for."""

__all__ = [*_PLACES]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
