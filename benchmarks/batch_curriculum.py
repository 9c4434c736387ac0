"""The cost of a curriculum for thousands of envs that are stepped on one device."""

from __future__ import annotations

from time import process_time
from typing import Any

import numpy as np
import torch
from chiron.envs.env_info import EnvInfo
from chiron.envs.task_space import TaskParameter, TaskSpace
from chiron.students.batch_curriculum import BatchCurriculum
from chiron.teachers import ADR, ALPGMM, DORAEMON, SPDL, Curriculum, Random
from chiron.teachers.teacher import Teacher
from rich.table import Table

_ENVS, _LENGTH, _STEPS = 4096, 1000, 2000
_SPACE = TaskSpace(
    [
        TaskParameter(name, 0.0, 1.0, default=0.0 if name == "slope" else 0.5)
        for name in ("slope", "load", "wind")
    ]
)
_TEACHERS: dict[str, type[Teacher]] = {
    "Random": Random,
    "ALP-GMM": ALPGMM,
    "ADR": ADR,
    "DORAEMON": DORAEMON,
    "SPDL": SPDL,
}


def rows() -> list[dict[str, Any]]:
    """Milliseconds per step that `tell` and `ask` take, by teacher and by how episodes end."""
    return [
        {"teacher": name, "ends": ends, **_measured(kind, ends == "all at once")}
        for name, kind in _TEACHERS.items()
        for ends in ("spread over the steps", "all at once")
    ]


def _measured(kind: type[Teacher], at_once: bool) -> dict[str, float]:
    info = EnvInfo(_SPACE, (0.0, 1.0), 0.5)
    batch = BatchCurriculum(Curriculum(kind(_SPACE, seed=0), info, seed=0), _ENVS)
    batch.ask()
    rng = np.random.default_rng(0)
    ends = np.full(_ENVS, _LENGTH - 1) if at_once else rng.integers(_LENGTH, size=_ENVS)
    in_step = [torch.from_numpy(np.flatnonzero(ends == step)) for step in range(_LENGTH)]
    spent, longest = 0.0, 0.0
    for step in range(_STEPS):
        ids = in_step[step % _LENGTH]
        returns = 1 - batch.tasks[ids].mean(dim=1)
        lengths = torch.full((len(ids),), _LENGTH)
        start = process_time()
        if len(ids):
            batch.tell(ids, returns, returns > 0.5, lengths)
            batch.ask(ids)
        took = process_time() - start
        spent, longest = spent + took, max(longest, took)
    return {"milliseconds": 1e3 * spent / _STEPS, "longest_milliseconds": 1e3 * longest}


def table(measured: list[dict[str, Any]]) -> Table:
    """The printed table."""
    shown = Table(title=f"BatchCurriculum: {_ENVS} envs, episodes of {_LENGTH} steps, CPU tensors")
    for heading in ("teacher", "episodes end", "a step", "longest step"):
        is_text = heading in ("teacher", "episodes end")
        shown.add_column(heading, justify="left" if is_text else "right", no_wrap=True)
    for row in measured:
        per_step, longest = f"{row['milliseconds']:.2f} ms", f"{row['longest_milliseconds']:.0f} ms"
        shown.add_row(row["teacher"], row["ends"], per_step, longest)
    return shown
