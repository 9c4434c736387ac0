from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from chiron.envs.env_info import EnvInfo
from chiron.evaluation.evaluate import TaskResult
from chiron.evaluation.evaluation import Evaluation
from chiron.runs.run import Run
from chiron.runs.tensorboard import TensorBoard
from chiron.runs.video import encode_gif
from chiron.runs.whole_files import FileRecord
from chiron.teachers import Curriculum, Random
from PIL import Image

from tests.runs.events import Events
from tests.runs.stub import CONFIG, NAMES, stub_run
from tests.teachers.spaces import cube
from tests.teachers.test_recent_episodes import play


def started(
    folder: Path,
    state: Any = None,
    files: Mapping[Path, FileRecord] = MappingProxyType({}),
    said: Sequence[str] = (),
    **settings: Any,
) -> tuple[Run, TensorBoard]:
    board = TensorBoard()
    run = stub_run(folder, Curriculum(Random(cube(2), 0), EnvInfo(cube(2)), 0), {"board": board}, **settings)
    run.said = said
    if state is not None:
        board.load_state_dict(state)
        run.is_resumed, run.counted_on = True, files
    folder.mkdir(parents=True, exist_ok=True)
    board.on_start(run)
    return run, board


def results(mastered: int) -> list[TaskResult]:
    return [TaskResult(i, np.full(2, i / 10, dtype=np.float32), 1.0, 10, i < mastered) for i in range(10)]


def test_what_stable_baselines_logs_is_sorted_into_the_groups(tmp_path: Path) -> None:
    run, board = started(tmp_path)
    for name in ("train/loss", "rollout/ep_rew_mean", "rollout/return_std", "rollout/exploration_rate"):
        run.logger.record(name, 2.0)
    run.logger.record("time/fps", 100)
    run.logger.record("time/time_elapsed", 1, exclude="tensorboard")
    run.logger.record("curriculum/mine", 3.0)
    run.logger.dump(7)
    board.on_training_end(run)
    assert Events(tmp_path).curves == {
        "student/loss", "student/exploration_rate", "episodes/return_std", "speed/steps_per_second",
        "curriculum/mine",
    }  # fmt: skip
    assert Events(tmp_path).curve("speed/steps_per_second") == {7: 100}


def test_area_under_the_curve_so_far(tmp_path: Path) -> None:
    run, board = started(tmp_path)
    for step, percent in ((0, 0.0), (100, 50.0), (400, 100.0)):
        board.on_evaluation(run, Evaluation(step, percent, 0.0))
    board.on_training_end(run)
    area = Events(tmp_path).curve("evaluation/area_under_curve")
    assert area == pytest.approx({0: 0, 100: 25, 400: (25 * 100 + 75 * 300) / 400})


def test_pictures_at_every_evaluation_once_there_is_something_to_see(tmp_path: Path) -> None:
    run, board = started(tmp_path)
    for step in (0, 100, 200):
        board.on_evaluation(run, Evaluation(step, 30.0, 1.0, results(3)))
        play(run.curriculum, 5)
    board.on_training_end(run)
    events = Events(tmp_path)
    assert list(events.pictures("evaluation/mastery")) == [0, 100, 200]
    assert list(events.pictures("curriculum/proposals")) == [100, 200]


def test_the_competence_of_a_simulated_student_is_its_map(tmp_path: Path) -> None:
    run, board = started(tmp_path)
    board.on_evaluation(run, Evaluation(0, 30.0, 1.0, competence=np.ones((3, 3))))
    board.on_training_end(run)
    assert list(Events(tmp_path).pictures("evaluation/mastery")) == [0]


def test_videos_move(tmp_path: Path) -> None:
    frames = [np.full((20, 30, 3), shade, dtype=np.uint8) for shade in (0, 100, 200)]
    run, board = started(tmp_path)
    board.add_videos(5, {"easy": encode_gif(frames, 10)})
    board.on_training_end(run)
    video = Events(tmp_path).pictures("evaluation/video_easy")[5]
    assert (video.format, video.size, getattr(video, "n_frames", 1)) == ("GIF", (30, 20), 3)


def test_a_line_in_the_table_of_runs_with_the_columns_of_all(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "walker" / "riac" / "seed3"
    config = {
        **CONFIG, "teacher": {"_target_": "x", "window": True, "ratio": 0.5}, "seed": 3,
        "student": {"_target_": "y", "learning_rate": 0.01, "gamma": 0.9},
        "env": {"body": "default", "roughness": None},
        "results": str(tmp_path), "study": "mine", "n_envs": 4,
    }  # fmt: skip
    said = ["env", "teacher", "seed", "student.learning_rate", "study", "n_envs"]
    run, board = started(folder, config=config, names={**NAMES, "teacher": "riac"}, said=said)
    board.on_training_end(run)
    events = Events(folder)
    assert events.hparams == {
        **NAMES, "teacher": "riac", "seed": "3", "teacher.window": True, "teacher.ratio": 0.5,
        "student.learning_rate": 0.01, "n_envs": 4,
        "group": "riac/walker/seed3",
    }  # fmt: skip
    assert events.differing == ["env", "n_envs", "seed", "student", "student.learning_rate", "teacher"]
    assert "teacher.fit_rate" in events.columns, "teachers that come with Chiron have it"
    assert events.metrics == ["evaluation/mastered_percent", "evaluation/area_under_curve"]


def test_one_chart_for_each_question(tmp_path: Path) -> None:
    run, board = started(tmp_path)
    board.on_training_end(run)
    (charts,) = Events(tmp_path).layout.values()
    assert charts == {
        "Percentage mastered": ["evaluation/mastered_percent$"],
        "Mean return of test episodes": ["evaluation/return_mean$"],
        "Learning progress": ["curriculum/alp_mean$"],
        "Share of random proposals": ["curriculum/random_share$"],
    }


def test_resumes_from_a_stored_state_in_a_file_of_its_own(tmp_path: Path) -> None:
    def pictures(folder: Path, stops: bool) -> tuple[dict[int, Image.Image], dict[int, float]]:
        run, board = started(folder)
        for step in (0, 100, 200):
            if stops and step == 200:
                files, stored, curriculum = board.files(run), board.state_dict(), run.curriculum.state_dict()
                board.on_evaluation(run, Evaluation(150, 99.0, 1.0))  # after the checkpoint: lost
                board.on_training_end(run)
                run, board = started(folder, stored, files)
                run.curriculum.load_state_dict(curriculum)
            board.on_evaluation(run, Evaluation(step, 0.1 * step, 1.0, results(3)))
            play(run.curriculum, 5)
        board.on_training_end(run)
        events = Events(folder)
        return events.pictures("curriculum/proposals"), events.curve("evaluation/area_under_curve")

    (whole, area), (resumed, area_again) = pictures(tmp_path / "a", False), pictures(tmp_path / "b", True)
    assert area == area_again
    assert {s: p.tobytes() for s, p in whole.items()} == {s: p.tobytes() for s, p in resumed.items()}
