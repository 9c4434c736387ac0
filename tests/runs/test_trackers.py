from __future__ import annotations

import importlib.util
import json
import logging
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.envs.env_info import EnvInfo
from chiron.evaluation.evaluate import TaskResult
from chiron.evaluation.evaluation import Evaluation
from chiron.runs.run import Run
from chiron.runs.trackers import MLflow, Tracker, WandB
from chiron.runs.video import Frame
from chiron.teachers import Curriculum, Random

from tests.runs.stub import CONFIG, stub_run
from tests.teachers.spaces import cube

RESULTS = [TaskResult(i, np.full(2, i / 4, dtype=np.float32), 1.0, 10, i < 1) for i in range(4)]


def tracked(folder: Path, tracker: Tracker, state: Mapping[str, Any] | None = None) -> Run:
    """A run that a tracker has been started on."""
    folder.mkdir(parents=True, exist_ok=True)
    curriculum = Curriculum(Random(cube(2), 0), EnvInfo(cube(2)), 0)
    run = stub_run(folder, curriculum, {"tracker": tracker}, {**CONFIG, "study": "walks"})
    if state is not None:
        tracker.load_state_dict(state)
        run.is_resumed = True
    tracker.on_start(run)
    return run


@pytest.mark.medium  # starts a process of Weights & Biases
def test_a_run_goes_to_weights_and_biases_and_is_resumed_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    first = WandB(project="walkers", tags=["mine"])
    run = tracked(tmp_path, first)
    run.logger.record("train/loss", 2.0)
    run.logger.record("train/note", "no number")
    run.logger.dump(7)
    first.on_evaluation(run, Evaluation(0, 0.0, 0.5, RESULTS))
    state = first.state_dict()
    first.on_training_end(run)

    second = WandB(project="walkers")
    run = tracked(tmp_path, second, state)
    second.on_evaluation(run, Evaluation(10, 50.0, 1.5))
    second.on_training_end(run)

    # The names of the folders begin with the time of their start.
    (begun, resumed) = sorted(tmp_path.glob("wandb/offline-run-*/*.wandb"))
    assert begun.name == resumed.name
    sent = wandb_history(begun)
    assert {"step": 7, "student/loss": 2.0}.items() <= sent[0].items()
    assert "student/note" not in sent[0]
    assert {"step": 0, "evaluation/return_mean": 0.5}.items() <= sent[1].items()
    assert sent[2]["evaluation/mastery/_type"] == "image-file"
    (after,) = wandb_history(resumed)
    assert after["evaluation/area_under_curve"] == 25


def wandb_history(path: Path) -> list[dict[str, Any]]:
    """The logged rows in a file of Weights & Biases: protobufs in LevelDB's log format."""
    from wandb.proto import wandb_internal_pb2

    data, place, whole, rows = path.read_bytes(), 7, b"", list[dict[str, Any]]()
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
        _, length, part = struct.unpack_from("<IHB", data, place)
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if part in (1, 4):  # a whole record, or the last part of one
            record = wandb_internal_pb2.Record.FromString(whole)
            whole = b""
            if record.HasField("history"):
                items = record.history.item
                rows.append({i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items})
    return rows


def test_nobody_is_logged_in_at_weights_and_biases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(ValueError, match=r"knows no API key: run wandb login, .* mode=offline"):
        WandB(mode="online")
    with pytest.raises(ValueError, match="mode=of must be one of online, offline, "):
        WandB(mode="of")


@pytest.mark.medium  # MLflow takes seconds to import
@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_a_run_goes_to_mlflow_and_is_resumed_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "store").as_uri()
    first = MLflow(uri)
    run = tracked(tmp_path / "run", first)
    run.logger.record("train/loss", 2.0)
    run.logger.dump(7)
    first.on_evaluation(run, Evaluation(0, 0.0, 0.5, RESULTS))
    state = first.state_dict()
    client = mlflow.MlflowClient(uri)
    first.on_training_end(run)
    assert client.get_run(state["id"]).info.status == "KILLED"

    second = MLflow(uri)
    run = tracked(tmp_path / "run", second, state)
    assert client.get_run(state["id"]).info.status == "RUNNING"
    second.on_evaluation(run, Evaluation(10, 50.0, 1.5))
    run.student.learn(100, run, run.logger)
    second.on_training_end(run)

    experiment = client.get_experiment_by_name("walks")
    (kept,) = client.search_runs([experiment.experiment_id])
    assert (kept.info.run_id, kept.info.status) == (state["id"], "FINISHED")
    assert kept.data.params["seed"] == "0"
    assert kept.data.tags["teacher"] == "random"
    assert kept.data.metrics["student/loss"] == 2
    areas = client.get_metric_history(state["id"], "evaluation/area_under_curve")
    assert [(point.step, point.value) for point in areas] == [(0, 0), (10, 25)]
    assert [item.path for item in client.list_artifacts(state["id"], "images")]


class Flaky(Tracker):
    """A service that accepts one message and then fails."""

    service, extra, module = "Flaky", "flaky", "json"

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Mapping[str, float]] = []

    def _begin(self, run: Run, name: str, known: str | None) -> str:
        return known or "new"

    def _send(self, curves: Mapping[str, float], step: int) -> None:
        if self.sent:
            raise ConnectionError("no route\nto host")
        self.sent.append(curves)

    def _send_picture(self, name: str, picture: Frame, step: int) -> None:
        raise AssertionError("it has failed before")

    def _end(self, is_finished: bool) -> None:
        raise AssertionError("it has failed before")


def test_a_service_that_fails_does_not_end_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tracker = Flaky()
    with caplog.at_level(logging.WARNING, "chiron"):
        run = tracked(tmp_path, tracker)
        for step in (0, 10, 20):
            tracker.on_evaluation(run, Evaluation(step, 0.0, 0.5))
            run.logger.record("train/loss", 2.0)
            run.logger.dump(step)
        tracker.on_training_end(run)
    assert len(tracker.sent) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "Flaky failed, and the run goes on without it: ConnectionError: no route to host"
    ]


@pytest.mark.parametrize(("kind", "extra"), [(WandB, "wandb"), (MLflow, "mlflow")])
def test_a_service_that_is_not_installed(
    kind: type[Tracker], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=rf"needs the extra .* pip install 'chiron-curricula\[{extra}\]'"):
        kind()
