"""The TensorBoard log of a run: curves in five groups, pictures, videos, and hparams."""

from __future__ import annotations

import io
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from stable_baselines3.common.logger import TensorBoardOutputFormat
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import metadata, summary_v2
from tensorboard.plugins.hparams.api_pb2 import Experiment, HParamInfo, MetricInfo, MetricName
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard.summary import hparams as hparams_summaries

from .video import Frame

GROUPS = ("evaluation", "curriculum", "episodes", "student", "speed")
"""Prefixes of the names of curves."""

_NAMES = {
    "time/fps": "speed/steps_per_second",
    "rollout/exploration_rate": "student/exploration_rate",
}
_GROUPS = {"train": "student", "rollout": "episodes", "time": "speed"}
"""Names of curves or groups of curves here, by their names in Stable-Baselines3."""

_SAME_AS_OURS = {"rollout/ep_rew_mean", "rollout/ep_len_mean", "rollout/success_rate"}
"""Means over the latest hundred episodes, which `RecentEpisodes` logs too."""

_QUESTIONS = {
    "Percentage mastered": "evaluation/mastered_percent",
    "Mean return of test episodes": "evaluation/return_mean",
    "Learning progress": "curriculum/alp_mean",
    "Share of random proposals": "curriculum/random_share",
}
LAYOUT = {
    "Which teacher is better?": {title: ["Multiline", [f"{tag}$"]] for title, tag in _QUESTIONS.items()}
}
"""The custom scalars of every run: one chart per question, with a line for each run."""

_RESULTS = ("evaluation/mastered_percent", "evaluation/area_under_curve")
"""The curves whose last values are a run's results."""

HParam = str | int | float | bool
"""The value of one hyperparameter."""


class TensorBoardLog(TensorBoardOutputFormat):
    """An output of Stable-Baselines3's logger that sorts its curves into `GROUPS`.

    Args:
        folder: Folder of the event file. An existing file is kept and continued.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self._writer: Any = self.writer  # untyped in torch
        # An exception that ends the writer thread is raised again at the next flush, so it is not printed.
        writer: Any = self._writer.file_writer
        writer.event_writer._async_writer._worker._invoke_excepthook = lambda thread: None

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0
    ) -> None:
        names = curve_names(key_values)
        values = {ours: key_values[name] for name, ours in names.items()}
        super().write(values, {ours: key_excluded[name] for name, ours in names.items()}, step)

    def add_picture(self, tag: str, picture: Frame, step: int) -> None:
        """Log a picture, of shape (height, width, 3)."""
        height, width, _ = picture.shape
        content = io.BytesIO()
        Image.fromarray(picture).save(content, "PNG")
        self._add_image(tag, content.getvalue(), (width, height), step)

    def add_video(self, tag: str, gif: bytes, step: int) -> None:
        """Log an animation, given as the content of a GIF file."""
        with Image.open(io.BytesIO(gif)) as first:
            self._add_image(tag, gif, first.size, step)

    def _add_image(self, tag: str, content: bytes, size: tuple[int, int], step: int) -> None:
        # torch would decode and re-encode pictures, and needs moviepy for animations.
        width, height = size
        image = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=content)
        self._writer.file_writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)

    def add_hparams(
        self, name: str, hparams: Mapping[str, HParam], columns: Iterable[str], differing: Container[str]
    ) -> None:
        """Add the run to the HParams tab, and write the layout of the custom scalars.

        Args:
            name: Name of the run.
            hparams: Hyperparameters of the run.
            columns: Hyperparameters that other runs may have. TensorBoard takes the columns of its table from
                any one of the runs it shows, so each run has to list them all.
            differing: Hyperparameters in which runs differ: TensorBoard shows the first five by name.
        """
        self._writer.add_custom_scalars(LAYOUT)
        experiment = Experiment(
            # TensorBoard's own API does not set `differs`.
            hparam_infos=[
                HParamInfo(name=column, differs=column in differing)
                for column in sorted({*columns, *hparams})
            ],
            metric_infos=[
                MetricInfo(name=MetricName(tag=tag), display_name=tag.partition("/")[2].replace("_", " "))
                for tag in _RESULTS
            ],
        )
        about = metadata.create_summary_metadata(HParamsPluginData(experiment=experiment))
        config = Summary(
            value=[Summary.Value(tag=metadata.EXPERIMENT_TAG, metadata=about, tensor=metadata.NULL_TENSOR)]
        )
        for summary in (config, summary_v2.hparams_pb(dict(hparams), trial_id=name)):
            self._writer.file_writer.add_summary(summary)
        self._writer.flush()

    def add_end(self) -> None:
        """Mark the run as finished in the HParams tab."""
        *_, end = hparams_summaries({}, {})  # type: ignore[no-untyped-call]
        self._writer.file_writer.add_summary(end)
        self._writer.flush()


def curve_names(recorded: Iterable[str]) -> dict[str, str]:
    """Names of curves here, by their names in Stable-Baselines3; duplicates of our own are left out.

    Args:
        recorded: Names of curves in Stable-Baselines3's logger.
    """
    return {name: _name_of(name) for name in recorded if name not in _SAME_AS_OURS}


def _name_of(name: str) -> str:
    group, slash, rest = name.partition("/")
    return _NAMES.get(name, f"{_GROUPS.get(group, group)}{slash}{rest}")
