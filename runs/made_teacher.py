"""Makes a teacher from a component in a configuration or a script."""

from __future__ import annotations

from typing import Any

from ..envs.task_space import TaskSpace
from ..teachers.teacher import Seed, Teacher
from .blaming import blaming, make_blaming


def made_teacher(key: str, component: Any, space: TaskSpace, seed: Seed) -> Teacher:
    """Make a teacher.

    Args:
        key: Name of the teacher on the command line, for messages.
        component: A teacher class, a function that makes one, or a partial of these.
        space: The task space.
        seed: Seed of the teacher.

    Raises:
        ValueError: If it cannot be made or is no teacher; names the argument to blame.
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
