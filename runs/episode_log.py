"""The log of training episodes: one row each, in Parquet files that are readable at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ..envs.task_space import TaskSpace
from ..teachers.episode import Episode
from .whole_files import replacing

_ROWS_PER_PART = 1000


class EpisodeLog:
    """Writes the episodes of one run to `part-00000.parquet`, `part-00001.parquet`.

    A part is written beside and renamed, so whatever bears the name of a part is complete.

    Args:
        folder: Where the parts go; made if absent.
        space: Names the task columns.
        parts: How many parts to keep of what is there; those after them are dropped.

    Attributes:
        parts: How many parts are written.
    """

    def __init__(self, folder: Path, space: TaskSpace, parts: int = 0) -> None:
        self.parts = parts
        self._folder = folder
        self._space = space
        self._rows: list[dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)
        kept = {self._part(number) for number in range(parts)}
        for file in set(folder.iterdir()) - kept:
            file.unlink()

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:05d}.parquet"

    def add(self, episode: Episode) -> None:
        """Append one episode; every thousandth writes a part."""
        self._rows.append(
            {
                "episode": episode.index,
                "step": episode.step,
                **dict(zip(self._space.columns, episode.task.tolist(), strict=True)),
                "return": episode.episode_return,
                "length": episode.length,
                "success": episode.success,
                "seed": episode.seed,
                "source": episode.source,
                "slot": episode.slot,
            }
        )
        if len(self._rows) >= _ROWS_PER_PART:
            self.flush()

    def flush(self) -> None:
        """Write what has not been written yet."""
        if not self._rows:
            return
        with replacing(self._part(self.parts)) as part:
            pd.DataFrame(self._rows).astype({"success": "boolean"}).to_parquet(part, index=False)
        self.parts += 1
        self._rows.clear()
