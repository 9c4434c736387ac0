"""The log of training episodes: one row each, in Parquet files that are readable at any time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .run import RunCallback
from .whole_files import FileRecord, GrowingFile, replacing

if TYPE_CHECKING:
    from ..teachers.episode import Episode
    from .run import Run

_ROWS_PER_PART = 1000
_SHARE = 10
"""A part holds at least a tenth of the rows before it, so that a long log is a few dozen files."""
_UNKNOWN = -1
"""Value in a checkpoint for a success that the env has not reported."""


class EpisodeLog(RunCallback):
    """Writes the episodes of a run to `episodes/part-00000.parquet`, `part-00001.parquet` and so on.

    A part is written under a temporary name and renamed, so every part file is complete. The first ten have
    1,000 rows, each further one a tenth of the rows before it; the last one, written when training ends, has
    fewer. Until then, rows that do not fill a part are kept in memory and in checkpoints.
    """

    def __init__(self) -> None:
        self._folder = Path()
        self._task: list[str] = []
        self._parts: dict[Path, FileRecord] = {}
        self._written = 0
        self._rows: list[dict[str, Any]] = []

    def on_start(self, run: Run) -> None:
        self._folder, self._task = run.directory.episodes, run.curriculum.space.columns
        self._parts = {path: record for path, record in run.counted_on.items() if path.parent == self._folder}
        self._folder.mkdir(parents=True, exist_ok=True)
        for file in set(self._folder.glob("*part-*")) - self._parts.keys():
            file.unlink()

    def on_episode(self, run: Run, episode: Episode) -> None:
        self._rows.append(
            {
                "episode": episode.index,
                "step": episode.step,
                **dict(zip(self._task, episode.task.tolist(), strict=True)),
                "return": episode.episode_return,
                "length": episode.length,
                "success": episode.success,
                "seed": episode.seed,
                "source": episode.source,
                "slot": episode.slot,
            }
        )
        if len(self._rows) >= max(_ROWS_PER_PART, self._written // _SHARE):
            self._write_part()

    def on_training_end(self, run: Run) -> None:
        if self._rows:
            self._write_part()

    def files(self, run: Run) -> Mapping[Path, FileRecord]:
        return self._parts

    def state_dict(self) -> dict[str, Any]:
        columns = {name: [row[name] for row in self._rows] for name in self._rows[0]} if self._rows else {}
        if columns:
            columns["success"] = [_UNKNOWN if value is None else int(value) for value in columns["success"]]
        return {
            "written": self._written,
            "rows": {name: np.array(column) for name, column in columns.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._written = state["written"]
        columns = {name: column.tolist() for name, column in state["rows"].items()}
        self._rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        for row in self._rows:
            row["success"] = None if row["success"] == _UNKNOWN else bool(row["success"])

    def _write_part(self) -> None:
        path = self._folder / f"part-{len(self._parts):05d}.parquet"
        with replacing(path) as part:
            pd.DataFrame(self._rows).astype({"success": "boolean"}).to_parquet(part, index=False)
        self._parts[path] = GrowingFile(path).record()
        self._written += len(self._rows)
        self._rows.clear()
