from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from chiron.envs import EnvInfo
from chiron.evaluation.evaluate import TaskResult
from chiron.runs.live_view import LiveView
from chiron.runs.tensorboard_log import HParam
from chiron.runs.video import encode_gif
from chiron.teachers import Curriculum, Random
from PIL import Image

from tests.runs.events import Events
from tests.teachers.spaces import cube
from tests.teachers.test_recent_episodes import play


def a_curriculum() -> Curriculum:
    return Curriculum(Random(cube(2), 0), EnvInfo(cube(2)), 0)


def results(mastered: int) -> list[TaskResult]:
    return [TaskResult(i, np.full(2, i / 10, dtype=np.float32), 1.0, 10, i < mastered) for i in range(10)]


def test_what_stable_baselines_logs_is_sorted_into_the_groups(tmp_path: Path) -> None:
    view = LiveView(tmp_path, "run", a_curriculum(), {})
    for name in ("train/loss", "rollout/ep_rew_mean", "rollout/return_std", "rollout/exploration_rate"):
        view.logger.record(name, 2.0)
    view.logger.record("time/fps", 100)
    view.logger.record("time/time_elapsed", 1, exclude="tensorboard")
    view.logger.record("curriculum/mine", 3.0)
    view.logger.dump(7)
    view.close(is_finished=True)
    assert Events(tmp_path).curves == {
        "student/loss", "student/exploration_rate", "episodes/return_std", "speed/steps_per_second",
        "curriculum/mine",
    }  # fmt: skip
    assert Events(tmp_path).curve("speed/steps_per_second") == {7: 100}


def test_area_under_the_curve_so_far(tmp_path: Path) -> None:
    view = LiveView(tmp_path, "run", a_curriculum(), {})
    for step, percent in ((0, 0.0), (100, 50.0), (400, 100.0)):
        view.add_evaluation(step, percent)
        view.logger.dump(step)
    view.close(is_finished=True)
    area = Events(tmp_path).curve("evaluation/area_under_curve")
    assert area == pytest.approx({0: 0, 100: 25, 400: (25 * 100 + 75 * 300) / 400})


def test_pictures_at_every_evaluation_once_there_is_something_to_see(tmp_path: Path) -> None:
    curriculum = a_curriculum()
    view = LiveView(tmp_path, "run", curriculum, {})
    for step in (0, 100, 200):
        view.add_evaluation(step, 30.0, results(3))
        view.logger.dump(step)
        play(curriculum, 5)
    view.close(is_finished=True)
    events = Events(tmp_path)
    assert list(events.pictures("evaluation/mastery")) == [0, 100, 200]
    assert list(events.pictures("curriculum/proposals")) == [100, 200]


def test_the_competence_of_a_simulated_student_is_its_map(tmp_path: Path) -> None:
    view = LiveView(tmp_path, "run", a_curriculum(), {})
    view.add_evaluation(0, 30.0, competence=np.ones((3, 3)))
    view.close(is_finished=True)
    assert list(Events(tmp_path).pictures("evaluation/mastery")) == [0]


def test_videos_move(tmp_path: Path) -> None:
    frames = [np.full((20, 30, 3), shade, dtype=np.uint8) for shade in (0, 100, 200)]
    view = LiveView(tmp_path, "run", a_curriculum(), {})
    view.add_videos(5, {"easy": encode_gif(frames, 10)})
    view.close(is_finished=True)
    video = Events(tmp_path).pictures("evaluation/video_easy")[5]
    assert (video.format, video.size, getattr(video, "n_frames", 1)) == ("GIF", (30, 20), 3)


def test_a_line_in_the_table_of_runs_with_the_columns_of_all(tmp_path: Path) -> None:
    hparams: dict[str, HParam] = {"teacher": "riac", "seed": 3, "teacher.window": True, "teacher.ratio": 0.5}
    view = LiveView(tmp_path, "world/riac/seed3", a_curriculum(), hparams, ["teacher.other"])
    view.close(is_finished=False)
    events = Events(tmp_path)
    assert events.hparams == {**hparams, "group": "world/riac/seed3"}
    assert events.columns == ["seed", "teacher", "teacher.other", "teacher.ratio", "teacher.window"]
    assert events.metrics == ["evaluation/mastered_percent", "evaluation/area_under_curve"]


def test_one_chart_for_each_question(tmp_path: Path) -> None:
    LiveView(tmp_path, "run", a_curriculum(), {}).close(is_finished=True)
    (charts,) = Events(tmp_path).layout.values()
    assert charts == {
        "Percentage mastered": ["evaluation/mastered_percent$"],
        "Mean return of test episodes": ["evaluation/return_mean$"],
        "Learning progress": ["curriculum/alp_mean$"],
        "Share of random proposals": ["curriculum/random_share$"],
    }


def test_goes_on_from_a_stored_state_in_a_file_of_its_own(tmp_path: Path) -> None:
    def pictures(folder: Path, stops: bool) -> tuple[dict[int, Image.Image], dict[int, float]]:
        curriculum = a_curriculum()
        view = LiveView(folder, "run", curriculum, {"seed": 0})
        for step in (0, 100, 200):
            if stops and step == 200:
                stored = view.state_dict()
                view.close(is_finished=False)
                curriculum.listeners.clear()
                view = LiveView(folder, "run", curriculum, {"seed": 0})
                view.load_state_dict(stored)
            view.add_evaluation(step, step / 4, results(3))
            view.logger.dump(step)
            play(curriculum, 5)
        view.close(is_finished=True)
        events = Events(folder)
        return events.pictures("curriculum/proposals"), events.curve("evaluation/area_under_curve")

    through, resumed = pictures(tmp_path / "through", False), pictures(tmp_path / "resumed", True)
    assert through[1] == resumed[1]
    assert {step: picture.tobytes() for step, picture in through[0].items()} == {
        step: picture.tobytes() for step, picture in resumed[0].items()
    }
    assert len(list((tmp_path / "resumed").iterdir())) == 2
