"""Making a teacher of what a configuration or a script gives."""

from __future__ import annotations

from typing import Any

from ..envs.task_space import TaskSpace
from ..teachers.teacher import Seed, Teacher
from .blaming import blaming, make_blaming


def made_teacher(key: str, component: Any, space: TaskSpace, seed: Seed) -> Teacher:
    """Make a teacher.

    Args:
        key: What names the teacher on the command line, for messages.
        component: A class of teachers, a function that makes one, or a partial of these.
        space: The tasks to choose from.
        seed: Seeds it.

    Raises:
        ValueError: If it cannot be made, or is no teacher: the argument that is to blame.
    """
    kind = getattr(component, "func", component)
    with blaming(key):
        if isinstance(kind, type) and not issubclass(kind, Teacher):
            raise ValueError(f"_target_={kind.__module__}.{kind.__qualname__} is no Teacher")
    teacher = make_blaming(key, component, lambda make: make(space=space, seed=seed))
    with blaming(key):
        if not isinstance(teacher, Teacher):
            raise ValueError(f"_target_ makes a {type(teacher).__name__}, which is no Teacher")
    return teacher
