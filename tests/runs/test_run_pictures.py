from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from chiron.runs import run_pictures
from chiron.runs.run_directory import RunDirectory
from matplotlib.figure import Figure

pytestmark = pytest.mark.medium


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn; they are not saved."""
    figures = list[Figure]()
    monkeypatch.setattr(run_pictures, "_save", lambda figure, *_: figures.append(figure))
    return figures


def run_of(folder: Path, parameters: int) -> RunDirectory:
    """A run with `parameters` task parameters; its teacher focused on a box, and it mastered one of two."""
    run = RunDirectory(folder)
    run.episodes.mkdir()
    names = [f"p_{index}" for index in range(parameters)]
    summary = {"env": "mine", "teacher": "riac", "student": "ppo", "units": {"p_0": "m"}}
    run.summary.write_text(json.dumps(summary))
    tasks = pd.DataFrame(np.linspace(0, 1, 8 * parameters).reshape(8, -1), columns=names)
    source = ["random", "chosen"] * 4
    tasks.assign(step=range(10, 90, 10), source=source).to_parquet(run.episodes / "part-00000.parquet")
    tested = tasks[:2].assign(task_index=[0, 1], mastered=[True, False])
    pd.concat([tested.assign(step=step) for step in (0, 80)]).to_csv(run.evaluations, index=False)
    box = {"kind": "FocusBox", "weight": 1.0, "low": [0.25] * parameters, "high": [0.5] * parameters}
    moments: list[dict[str, Any]] = [
        {"step": step, "focus": [box], "competence": None} for step in (0, 40, 80)
    ]
    run.snapshots.write_text("".join(json.dumps(moment) + "\n" for moment in moments))
    return run


def test_one_parameter_is_drawn_over_time_with_what_the_teacher_looked_at(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    run_pictures.draw_teacher(run_of(tmp_path, 1))
    (axes,) = drawn[0].axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("training steps", "p 0 (m)")
    random, chosen, boxes = axes.collections
    assert [len(np.asarray(layer.get_offsets())) for layer in (random, chosen)] == [4, 4]
    (first, second) = boxes.get_paths()
    assert first.get_extents().extents == pytest.approx([0, 0.25, 40, 0.5])
    assert second.get_extents().extents == pytest.approx([40, 0.25, 80, 0.5])


def test_of_many_parameters_the_title_says_which_are_drawn(tmp_path: Path, drawn: list[Figure]) -> None:
    run_pictures.draw_teacher(run_of(tmp_path, 5))
    assert drawn[0].get_suptitle() == "mine  ·  riac  ·  ppo  ·  first 4 of 5 parameters"
    assert len([axes for axes in drawn[0].axes if axes.get_xlabel()]) == 6


@pytest.mark.parametrize("parameters", [1, 4])
def test_failed_test_tasks_are_not_hidden_by_mastered_ones(
    tmp_path: Path, drawn: list[Figure], parameters: int
) -> None:
    run_pictures.draw_curriculum(run_of(tmp_path, parameters))
    for axes in drawn[0].axes[1:]:
        _, mastered, failed = (np.asarray(collection.get_offsets()) for collection in axes.collections)
        assert 80 < mastered[0, 0] < failed[0, 0]
