"""Event files as read by TensorBoard itself."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams import metadata


class Events:
    """The data that TensorBoard finds in a folder.

    Args:
        folder: Directory of one run.
    """

    def __init__(self, folder: Path) -> None:
        self._events: Any = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
        self._events.Reload()

    @property
    def curves(self) -> set[str]:
        return set(self._events.Tags()["scalars"])

    @property
    def picture_tags(self) -> set[str]:
        return set(self._events.Tags()["images"])

    def curve(self, tag: str) -> dict[int, float]:
        return {event.step: event.value for event in self._events.Scalars(tag)}

    def pictures(self, tag: str) -> dict[int, Image.Image]:
        return {
            event.step: Image.open(io.BytesIO(event.encoded_image_string))
            for event in self._events.Images(tag)
        }

    @property
    def layout(self) -> dict[str, dict[str, list[str]]]:
        """Tags by category and chart."""
        layout = Layout.FromString(
            self._events.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
        )
        return {
            category.title: {
                chart.title: list(chart.multiline.tag)
                or [tag for part in chart.margin.series for tag in (part.value, part.lower, part.upper)]
                for chart in category.chart
            }
            for category in layout.category
        }

    @property
    def hparams(self) -> dict[str, Any]:
        content = self._hparams(metadata.SESSION_START_INFO_TAG)
        started = metadata.parse_session_start_info_plugin_data(content)
        return {name: getattr(value, value.WhichOneof("kind")) for name, value in started.hparams.items()} | {
            "group": started.group_name
        }

    @property
    def columns(self) -> list[str]:
        experiment = metadata.parse_experiment_plugin_data(self._hparams(metadata.EXPERIMENT_TAG))
        return [info.name for info in experiment.hparam_infos]

    @property
    def differing(self) -> list[str]:
        """The columns that TensorBoard shows first."""
        experiment = metadata.parse_experiment_plugin_data(self._hparams(metadata.EXPERIMENT_TAG))
        return [info.name for info in experiment.hparam_infos if info.differs]

    @property
    def metrics(self) -> list[str]:
        experiment = metadata.parse_experiment_plugin_data(self._hparams(metadata.EXPERIMENT_TAG))
        return [info.name.tag for info in experiment.metric_infos]

    def _hparams(self, tag: str) -> bytes:
        content: bytes = self._events.SummaryMetadata(tag).plugin_data.content
        return content
