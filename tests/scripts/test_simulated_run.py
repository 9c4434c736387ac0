from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.runs.run_directory import RunDirectory
from chiron.runs.snapshots import read_snapshots
from chiron.scripts.refusal import BAD_INPUT
from chiron.teachers.focus import FocusGaussian
from PIL import Image

from tests.runs.events import Events
from tests.scripts.conftest import SharedRun, only_run

GRID = ["experiment=toy_grid", "total_steps=1_200", "evaluation.every_steps=400"]


@pytest.fixture(scope="module")
def run(shared_run: SharedRun) -> RunDirectory:
    return shared_run("toy_grid", *GRID, "teacher=alp_gmm", "pictures=true")


@pytest.mark.medium
class TestToyGrid:
    def test_leaves_the_usual_directory(self, run: RunDirectory) -> None:
        evaluations = run.read_evaluations()
        assert list(evaluations.columns) == ["step", "mastered_percent"]
        assert evaluations["step"].tolist() == [0, 400, 800, 1200]
        episodes = run.read_episodes()
        assert episodes["step"].tolist() == list(range(1, 1201))
        assert ((episodes[["x0", "x1"]] >= 0) & (episodes[["x0", "x1"]] <= 1)).all(axis=None)
        summary = run.read_summary()
        assert summary is not None
        assert summary["status"] == "finished"
        assert summary["episodes"] == summary["steps"] == 1200
        assert summary["mastered_percent"] == evaluations["mastered_percent"].iloc[-1]

    def test_mastery_can_be_recomputed_from_the_episode_log(self, run: RunDirectory) -> None:
        """Each cell's competence is the number of its episodes that raised its return."""
        episodes = run.read_episodes()
        cells = np.minimum((episodes[["x0", "x1"]].to_numpy() * 10).astype(int), 9)
        competence = np.zeros((10, 10))
        for (i, j), episode_return in zip(cells, episodes["return"], strict=True):
            competence[i, j] = 100 * episode_return
        np.testing.assert_allclose(np.load(run.competence) * 100, competence)
        assert run.read_mastery().iloc[-1] == 100 * (competence > 75).mean()

    def test_pictures(self, run: RunDirectory) -> None:
        assert run.still.read_bytes().startswith(b"\x89PNG")
        with Image.open(run.animation) as animation:
            assert getattr(animation, "n_frames", 1) == 3  # one per evaluation after the first

    def test_snapshots_show_teacher_and_student(self, run: RunDirectory) -> None:
        first, *_, last = read_snapshots(run.snapshots)
        assert list(first.focus) == []
        assert sum(part.weight for part in last.focus) == pytest.approx(1)
        assert all(isinstance(part, FocusGaussian) and part.mean.shape == (2,) for part in last.focus)
        assert last.competence is not None
        np.testing.assert_array_equal(last.competence, np.load(run.competence))

    def test_tensorboard_shows_what_the_logs_say(self, run: RunDirectory) -> None:
        events, episodes = Events(run.path), run.read_episodes()
        assert events.curve("evaluation/mastered_percent") == run.read_mastery().to_dict()
        assert list(events.pictures("evaluation/mastery")) == [0, 400, 800, 1200]
        assert list(events.pictures("curriculum/proposals")) == [400, 800, 1200]
        random_share = events.curve("curriculum/random_share")
        assert set(random_share) == {*range(12, 1201, 12), 400, 800}
        lately = episodes["source"].iloc[-100:]
        assert random_share[1200] == pytest.approx((lately == "random").mean())
        assert {"curriculum/alp_mean", "episodes/return_mean", "speed/steps_per_second"} <= events.curves
        assert events.hparams["student"] == "toy_grid"

    def test_same_seed_same_log(self, chiron_train: Any, tmp_path: Path) -> None:
        logs = []
        for results in ("a", "b"):
            assert chiron_train(*GRID, "teacher=riac", f"results={results}", "student.return_noise=0.1") == 0
            logs.append(only_run(tmp_path / results).read_episodes())
        assert logs[0].equals(logs[1])

    def test_more_dimensions_get_a_still_of_pairs(self, shared_run: SharedRun) -> None:
        more = ["student.dims=3", "student.useless_dims=1", "student.cells=4", "pictures=true"]
        run = shared_run("toy_grid_of_four_dimensions", *GRID, "teacher=random", *more)
        assert run.still.exists()
        assert not run.animation.exists()
        assert {"evaluation/mastery", "curriculum/proposals"} == Events(run.path).picture_tags


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["env=simulated"], "FastPPO is not a simulated student"),
        (
            ["student=toy_grid"],
            "chiron.students.simulated.toy_grid.ToyGrid is not an algorithm of Stable-Baselines3",
        ),
        ([*GRID, "student.dims=0"], "dims=0 must be at least 1"),
        ([*GRID, "student.return_noise=-1"], "return_noise=-1 must be at least 0"),
    ],
)
def test_bad_input(
    chiron_train: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    overrides: list[str],
    sentence: str,
) -> None:
    assert chiron_train(*overrides) == BAD_INPUT
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.medium
@pytest.mark.parametrize("mode", [["seed=0"], ["-m", "seed=0,1"]])
def test_names_on_the_command_line_are_only_shown(
    mode: list[str], chiron_train: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    short = [*GRID[:1], "total_steps=40", "evaluation.every_steps=40", "teacher=random"]
    assert chiron_train(*mode, *short, "study='[/red]:smile:'") == 0
    assert "[/red]:smile:" in capsys.readouterr().out
