"""Chiron: teachers choose, episode by episode, which task a Stable-Baselines3 student trains on."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis.study_frames import load_study as load_study
    from .conf.load_student import load_student as load_student
    from .conf.make_env import make_env as make_env
    from .envs.vector.make_vec import make_vec as make_vec
    from .runs.make_run import make_run as make_run
    from .runs.run import Run as Run
    from .runs.run import RunCallback as RunCallback
    from .students.batch_curriculum import BatchCurriculum as BatchCurriculum
    from .students.curriculum_vec_env import CurriculumVecEnv as CurriculumVecEnv
    from .students.curriculum_vector_env import CurriculumVectorEnv as CurriculumVectorEnv
    from .teachers.curriculum import Curriculum as Curriculum

_PLACES = {
    "BatchCurriculum": ".students.batch_curriculum",
    "Curriculum": ".teachers.curriculum",
    "CurriculumVecEnv": ".students.curriculum_vec_env",
    "CurriculumVectorEnv": ".students.curriculum_vector_env",
    "Run": ".runs.run",
    "RunCallback": ".runs.run",
    "load_student": ".conf.load_student",
    "load_study": ".analysis.study_frames",
    "make_env": ".conf.make_env",
    "make_run": ".runs.make_run",
    "make_vec": ".envs.vector.make_vec",
}
"""Where each public name is defined; imported on first access."""

__all__ = [*_PLACES]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
