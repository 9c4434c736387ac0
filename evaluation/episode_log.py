"""The log of training episodes: one row each, in Parquet files that are readable at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from envs.task_space import TaskSpace
from teachers.curriculum import Episode

_ROWS_PER_PART = 1000


class EpisodeLog:
    """Writes the episodes of one run to `part-00000.parquet`, `part-00001.parquet`.

    A part is written beside and renamed, so whatever bears the name of a part is complete.

    Args:
        folder: Where the parts go; made if absent.
        space: Names the task columns.
    """

    def __init__(self, folder: Path, space: TaskSpace) -> None:
        self._folder = folder
        self._space = space
        self._rows: list[dict[str, Any]] = []
        self._parts = 0
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, episode: Episode) -> None:
        """Append one episode; every thousandth writes a part."""
        assignment, outcome = episode.assignment, episode.outcome
        self._rows.append(
            {
                "episode": episode.index,
                "step": outcome.step,
                **dict(zip(self._space.columns, assignment.task.tolist(), strict=True)),
                "return": outcome.episode_return,
                "length": outcome.length,
                "success": outcome.success,
                "seed": assignment.seed,
                "source": assignment.proposal.source,
                "slot": episode.slot,
            }
        )
        if len(self._rows) >= _ROWS_PER_PART:
            self.flush()

    def flush(self) -> None:
        """Write what has not been written yet."""
        if not self._rows:
            return
        part = self._folder / f"part-{self._parts:05d}.parquet"
        unfinished = part.with_suffix(".tmp")
        pd.DataFrame(self._rows).astype({"success": "boolean"}).to_parquet(unfinished, index=False)
        unfinished.replace(part)
        self._parts += 1
        self._rows.clear()
