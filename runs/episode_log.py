"""The log of training episodes: one row each, in Parquet files that are readable at any moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from .run import RunCallback
from .whole_files import replacing

if TYPE_CHECKING:
    from ..teachers.episode import Episode
    from .run import Run

_ROWS_PER_PART = 1000


class EpisodeLog(RunCallback):
    """Writes the episodes of a run to `episodes/part-00000.parquet`, `part-00001.parquet` and so on.

    A part is written beside and renamed, so whatever bears the name of a part is complete.

    Attributes:
        parts: Number of parts written.
    """

    def __init__(self) -> None:
        self.parts = 0
        self._folder = Path()
        self._columns: list[str] = []
        self._rows: list[dict[str, Any]] = []

    def on_start(self, run: Run) -> None:
        self._folder, self._columns = run.directory.episodes, run.curriculum.space.columns
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = {self._part(number) for number in range(self.parts)}
        for file in set(self._folder.glob("*part-*")) - kept:
            file.unlink()

    def on_episode(self, run: Run, episode: Episode) -> None:
        self._rows.append(
            {
                "episode": episode.index,
                "step": episode.step,
                **dict(zip(self._columns, episode.task.tolist(), strict=True)),
                "return": episode.episode_return,
                "length": episode.length,
                "success": episode.success,
                "seed": episode.seed,
                "source": episode.source,
                "slot": episode.slot,
            }
        )
        if len(self._rows) >= _ROWS_PER_PART:
            self._flush()

    def on_checkpoint(self, run: Run) -> None:
        self._flush()

    def on_training_end(self, run: Run) -> None:
        self._flush()

    def state_dict(self) -> dict[str, Any]:
        return {"parts": self.parts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.parts = state["parts"]

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:05d}.parquet"

    def _flush(self) -> None:
        if not self._rows:
            return
        with replacing(self._part(self.parts)) as part:
            pd.DataFrame(self._rows).astype({"success": "boolean"}).to_parquet(part, index=False)
        self.parts += 1
        self._rows.clear()
