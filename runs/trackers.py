"""Callbacks for experiment trackers: Weights & Biases and MLflow."""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from stable_baselines3.common.logger import KVWriter

from ..evaluation.evaluation import evaluation_curves
from .failures import sentence_of
from .hparams import run_name
from .run import RunCallback
from .settings import leaves
from .tensorboard_log import curve_names

if TYPE_CHECKING:
    from ..evaluation.evaluation import Evaluation
    from .run import Run
    from .video import Frame

_log = logging.getLogger(__name__)

_EVALUATION = "evaluation/"
_MASTERY = f"{_EVALUATION}mastery"
_LONGEST_UPLOAD = 120
"""Seconds that a run waits for Weights & Biases after its end."""
_LARGEST_BATCH = 100
"""Most parameters that MLflow accepts at once."""


class Tracker(RunCallback):
    """Sends a run to a service: its configuration, the curves logged to TensorBoard, and pictures of mastery.

    A resumed run continues its run in the service. Points that were sent after the checkpoint are sent
    again, with the same values. If the service fails, the run continues without it and warns once.

    Attributes:
        service: Name of the service.
        extra: The extra of this package that installs its client.
        module: The module that it requires.
    """

    service: ClassVar[str]
    extra: ClassVar[str]
    module: ClassVar[str]

    def __init__(self) -> None:
        if importlib.util.find_spec(self.module) is None:
            raise ValueError(
                f"{self.service} needs the extra {self.extra!r}: pip install 'chiron-curricula[{self.extra}]'"
            )
        self._id: str | None = None
        self._is_lost = False
        self._steps: list[int] = []
        self._percents: list[float] = []

    def on_start(self, run: Run) -> None:
        name = run_name(run.config, run.names, run.directory.path)

        def begin() -> None:
            self._id = self._begin(run, name, self._id)

        self._attempt(begin)
        run.logger.output_formats.append(_Output(self.send))

    def on_evaluation(self, run: Run, evaluation: Evaluation) -> None:
        self._steps.append(evaluation.step)
        self._percents.append(evaluation.mastered_percent)
        curves = evaluation_curves(evaluation, self._steps, self._percents)
        self.send({f"{_EVALUATION}{name}": value for name, value in curves.items()}, evaluation.step)
        from .task_pictures import draw_evaluation  # here for start-up time: it imports matplotlib

        picture = draw_evaluation(run.curriculum.space, evaluation)
        if picture is not None:
            self._attempt(lambda: self._send_picture(_MASTERY, picture, evaluation.step))

    def on_training_end(self, run: Run) -> None:
        self._attempt(lambda: self._end(run.steps >= run.settings.total_steps))

    def send(self, curves: Mapping[str, float], step: int) -> None:
        """Send one value per curve.

        Args:
            curves: Values by name.
            step: Training steps so far.
        """
        if curves:
            self._attempt(lambda: self._send(curves, step))

    def state_dict(self) -> dict[str, Any]:
        return {"id": self._id, "steps": list(self._steps), "percents": list(self._percents)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._id = state["id"]
        self._steps, self._percents = list(state["steps"]), list(state["percents"])

    def _attempt(self, call: Callable[[], None]) -> None:
        if self._is_lost:
            return
        try:
            call()
        except Exception as error:  # services and networks can fail in any way
            self._is_lost = True
            _log.warning("%s failed, and the run goes on without it: %s", self.service, sentence_of(error))

    @abstractmethod
    def _begin(self, run: Run, name: str, known: str | None) -> str:
        """Start a run in the service, or continue one.

        Args:
            run: The run.
            name: Its name in the service.
            known: The id of the run in the service to continue; None to start a new one.

        Returns:
            The id of the run in the service.
        """

    @abstractmethod
    def _send(self, curves: Mapping[str, float], step: int) -> None:
        """Send values of curves."""

    @abstractmethod
    def _send_picture(self, name: str, picture: Frame, step: int) -> None:
        """Send a picture, of shape (height, width, 3)."""

    @abstractmethod
    def _end(self, is_finished: bool) -> None:
        """End the run in the service as finished, or as interrupted or failed."""


class WandB(Tracker):
    """Sends a run to Weights & Biases, whose own files go to `wandb/` in the run directory.

    Args:
        project: The W&B project.
        entity: The W&B user or team; None for the one that is logged in.
        group: The group of the run; None for its study.
        tags: Tags in addition to the names of env, teacher and student.
        mode: online, offline (upload it later with `wandb sync`), shared or disabled; None to use WANDB_MODE.

    Raises:
        ValueError: If wandb is not installed, or no user is logged in.
    """

    service, extra, module = "Weights & Biases", "wandb", "wandb"

    def __init__(
        self,
        project: str = "chiron",
        entity: str | None = None,
        group: str | None = None,
        tags: Sequence[str] = (),
        mode: str | None = None,
    ) -> None:
        super().__init__()
        import wandb

        modes = ("online", "offline", "shared", "disabled")
        if mode not in (None, *modes):
            raise ValueError(f"mode={mode} must be one of {', '.join(modes)}, or null")
        self._settings: dict[str, Any] = {"project": project, "entity": entity, "mode": mode}
        self._group, self._tags = group, list(tags)
        self._run: Any = None
        if (mode or wandb.setup().settings.mode) in ("online", "shared") and not wandb.login(
            prompt=False, verify=False
        ):
            raise ValueError(
                "Weights & Biases knows no API key: run wandb login, set WANDB_API_KEY, or send the run "
                "later with mode=offline"
            )

    def _begin(self, run: Run, name: str, known: str | None) -> str:
        import wandb

        self._run = wandb.init(
            **self._settings,
            dir=str(run.directory.path),
            name=name,
            group=self._group or run.config.get("study"),
            tags=[*run.names.values(), *self._tags],
            config=run.config,
            id=known,
            resume=None if known is None else "allow",
            allow_val_change=known is not None,
            reinit="create_new",
            settings=wandb.Settings(console="off", quiet=True, finish_timeout=_LONGEST_UPLOAD),
        )
        # W&B's own step counter would reject points that are sent again after a resume.
        self._run.define_metric("*", step_metric="step")
        return str(self._run.id)

    def _send(self, curves: Mapping[str, float], step: int) -> None:
        self._run.log({**curves, "step": step})

    def _send_picture(self, name: str, picture: Frame, step: int) -> None:
        import wandb

        self._run.log({name: wandb.Image(picture), "step": step})

    def _end(self, is_finished: bool) -> None:
        self._run.finish(exit_code=0 if is_finished else 1)


class MLflow(Tracker):
    """Sends a run to an MLflow server or a local MLflow store.

    Args:
        tracking_uri: The server or store; None to use MLFLOW_TRACKING_URI.
        experiment: The MLflow experiment, created if absent; None for the run's study.

    Raises:
        ValueError: If mlflow is not installed.
    """

    service, extra, module = "MLflow", "mlflow", "mlflow"

    def __init__(self, tracking_uri: str | None = None, experiment: str | None = None) -> None:
        super().__init__()
        # Training waits meanwhile: by default MLflow retries for two minutes and prints each attempt.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        self._uri, self._experiment = tracking_uri, experiment
        self._client: Any = None

    def _begin(self, run: Run, name: str, known: str | None) -> str:
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self._client = MlflowClient(self._uri)
        if known is not None:
            self._client.update_run(known, status="RUNNING")
            return known
        wanted = self._experiment or run.config.get("study") or "chiron"
        experiment = self._client.get_experiment_by_name(wanted)
        there = self._client.create_experiment(wanted) if experiment is None else experiment.experiment_id
        tags = {**run.names, "directory": str(run.directory.path)}
        began = str(self._client.create_run(there, run_name=name, tags=tags).info.run_id)
        params = [Param(key, str(value)) for key, value in leaves(run.config)]
        for first in range(0, len(params), _LARGEST_BATCH):
            self._client.log_batch(began, params=params[first : first + _LARGEST_BATCH])
        return began

    def _send(self, curves: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(name, value, now, step) for name, value in curves.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def _send_picture(self, name: str, picture: Frame, step: int) -> None:
        self._client.log_image(self._id, picture, key=name, step=step)

    def _end(self, is_finished: bool) -> None:
        self._client.set_terminated(self._id, "FINISHED" if is_finished else "KILLED")


class _Output(KVWriter):
    """An output of Stable-Baselines3's logger; results of evaluations reach callbacks by `on_evaluation`."""

    def __init__(self, send: Callable[[Mapping[str, float], int], None]) -> None:
        self._send = send

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0
    ) -> None:
        curves = {
            ours: float(key_values[name])
            for name, ours in curve_names(key_values).items()
            if not ours.startswith(_EVALUATION)
            and "tensorboard" not in (key_excluded.get(name) or ())
            and _is_number(key_values[name])
        }
        self._send(curves, step)

    def close(self) -> None:
        pass


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
