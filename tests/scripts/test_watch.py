"""chiron-watch as users see it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pygame
import pytest
from chiron.envs import StumpTracks
from chiron.envs.vector.action_repeat import ActionRepeat
from chiron.envs.walkers.walker_drawing import HEIGHT, WIDTH
from chiron.runs.run_directory import RunDirectory
from chiron.scripts.refusal import BAD_INPUT
from chiron.scripts.watch import rejoin_braces
from omegaconf import OmegaConf
from PIL import Image
from PIL.ImageSequence import all_frames
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from tests.countdown_env import CountdownEnv
from tests.scripts.conftest import SharedRun, only_run

pytestmark = pytest.mark.medium

TASK = {"stump_height": 0.5, "obstacle_spacing": 4.0}


@pytest.fixture(scope="module")
def trained(shared_run: SharedRun) -> RunDirectory:
    """A small finished run with the defaults, which repeat actions and normalise observations."""
    small = ("total_steps=512", "n_workers=0", "evaluation.n_tasks=1", "student.n_steps=128")
    return shared_run("short_stump_tracks", "debug=smoke", *small)


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dummy display, and a clock that never waits."""

    class Hurry:
        def tick(self, frames_per_second: int) -> int:
            return 0

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setattr("pygame.time.Clock", Hurry)


def n_frames(video: Path) -> int:
    with av.open(video) as container:
        return sum(1 for _ in container.decode(video=0))


def play_by_hand(run: RunDirectory, seed: int) -> tuple[float, int, int]:
    """Return, number of student steps and number of env steps of an episode of the run's student."""
    model = PPO.load(run.model, device="cpu")
    normalizer = VecNormalize.load(str(run.path / "vec_normalize.pkl"), DummyVecEnv([StumpTracks]))
    env = ActionRepeat(StumpTracks(), 2)
    observation, _ = env.reset(seed=seed, options={"task": TASK})
    total, length, over = 0.0, 0, False
    while not over:
        action, _ = model.predict(normalizer.normalize_obs(observation[None]), deterministic=True)
        observation, reward, terminated, truncated, _ = env.step(action[0])
        total, length, over = total + reward, length + 1, terminated or truncated
    return total, length, env.unwrapped._steps  # type: ignore[attr-defined]


class TestARun:
    def test_video_shows_every_frame_of_what_the_student_does(
        self, trained: RunDirectory, chiron_watch: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        task = "task={stump_height:0.5,obstacle_spacing:4}"
        assert chiron_watch(f"run={trained.path}", task, "seed=3", "out=gait.mp4") == 0
        total, length, env_steps = play_by_hand(trained, 3)
        assert capsys.readouterr().out.splitlines() == [
            "stump_height=0.5, obstacle_spacing=4",
            f"return {total:.1f} in {length} steps, not mastered",
            "gait.mp4",
        ]
        assert env_steps > length
        assert n_frames(tmp_path / "gait.mp4") == env_steps + 1

    def test_gif_is_readable_and_half_as_fast(
        self, trained: RunDirectory, chiron_watch: Any, tmp_path: Path
    ) -> None:
        assert chiron_watch(f"run={trained.path}", "task=[0.5,4]", "seconds=0.4", "out=gait.gif") == 0
        with Image.open(tmp_path / "gait.gif") as video:
            assert video.size == (WIDTH, HEIGHT)
            assert len(all_frames(video)) == 11
        assert (tmp_path / "gait.gif").stat().st_size < 100_000

    def test_sheet_is_that_of_its_env(self, trained: RunDirectory, chiron_watch: Any, tmp_path: Path) -> None:
        assert chiron_watch(f"run={trained.path}", "sheet=true", "out=tracks.png") == 0
        assert (tmp_path / "tracks.png").exists()

    def test_a_simulated_student_is_refused(
        self, chiron_train: Any, chiron_watch: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert chiron_train("experiment=toy_grid", "total_steps=100") == 0
        capsys.readouterr()
        assert chiron_watch(f"run={only_run(tmp_path).path}", "out=gait.gif") == BAD_INPUT
        assert "has a simulated student" in capsys.readouterr().err

    def test_a_run_without_a_model_is_refused(
        self, trained: RunDirectory, chiron_watch: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "config.yaml").write_text(trained.config.read_text())
        assert chiron_watch(f"run={tmp_path}", "out=gait.gif") == BAD_INPUT
        assert "has no model.zip yet" in capsys.readouterr().err


class TestAnEnv:
    @pytest.mark.parametrize(
        ("task", "shown"),
        [
            ("task=easy", "stump_height=0, obstacle_spacing=6"),
            ("task=middle", "stump_height=1.5, obstacle_spacing=3"),
            ("task=hard", "stump_height=3, obstacle_spacing=0"),
            ("task=[0.25,1]", "stump_height=0.25, obstacle_spacing=1"),
            ("task={obstacle_spacing:1}", "stump_height=1.5, obstacle_spacing=1"),
            ("seed=0", "stump_height=1.5, obstacle_spacing=3"),
        ],
    )
    def test_tasks(
        self, chiron_watch: Any, capsys: pytest.CaptureFixture[str], task: str, shown: str
    ) -> None:
        assert chiron_watch(task, "seconds=0.02", "out=still.png") == 0
        assert capsys.readouterr().out.splitlines()[0] == shown

    def test_a_random_task_follows_from_the_seed(
        self, chiron_watch: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        seen = []
        for seed in (0, 0, 1):
            chiron_watch("task=random", f"seed={seed}", "seconds=0.02", "out=still.png")
            seen.append(capsys.readouterr().out)
        assert seen[0] == seen[1] != seen[2]

    def test_still_is_the_moment_at_which_it_is_cut_off(self, chiron_watch: Any, tmp_path: Path) -> None:
        assert chiron_watch("task=easy", "actions=none", "seconds=0.2", "out=still.png", "lidar=true") == 0
        env = StumpTracks(render_mode="rgb_array")
        env.draw_lidar = True
        env.reset(seed=0, options={"task": [0, 6]})
        for _ in range(10):
            env.step(np.zeros(4, np.float32))
        with Image.open(tmp_path / "still.png") as still:
            np.testing.assert_array_equal(np.asarray(still), env.render())

    def test_random_actions_differ_from_none_and_repeat(
        self, chiron_watch: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        seen = []
        for actions in ("random", "random", "none"):
            assert chiron_watch(f"actions={actions}", "seconds=0.2", "out=still.png") == 0
            seen.append(capsys.readouterr().out)
        assert seen[0] == seen[1] != seen[2]
        assert "in 10 steps, cut off before its end" in seen[0]

    def test_sheet(self, chiron_watch: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert chiron_watch("sheet=true", "env.obstacle_spacing=2", "out=tracks.png") == 0
        assert capsys.readouterr().out == "tracks.png\n"
        with Image.open(tmp_path / "tracks.png") as sheet:
            assert sheet.width > 1500

    def test_window_shows_the_episode_to_its_end(
        self, chiron_watch: Any, window: None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert chiron_watch("task=easy", "actions=none") == 0
        assert ", not mastered\n" in capsys.readouterr().out
        assert not pygame.display.get_init()

    def test_closing_the_window_ends_it(
        self,
        chiron_watch: Any,
        window: None,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        honest_step = StumpTracks.step

        def step(self: StumpTracks, action: Any) -> Any:
            if self._steps == 6:
                pygame.event.post(pygame.event.Event(pygame.QUIT))
            return honest_step(self, action)

        monkeypatch.setattr(StumpTracks, "step", step)
        assert chiron_watch("task=easy") == 0
        assert "in 7 steps, cut off before its end" in capsys.readouterr().out

    def test_any_env_that_renders_can_be_watched(
        self, chiron_watch: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "conf" / "env").mkdir(parents=True)
        node = {"_target_": f"{__name__}.PaintedCountdown"}
        OmegaConf.save(node, tmp_path / "conf" / "env" / "painted.yaml")
        task = "task={duration:7,worth:0.5}"
        assert chiron_watch("--config-dir", "conf", "env=painted", task, "out=video.mp4") == 0
        assert "return 3.5 in 7 steps, mastered" in capsys.readouterr().out
        assert n_frames(tmp_path / "video.mp4") == 8
        assert chiron_watch("--config-dir", "conf", "env=painted", "sheet=true", "out=a.png") == BAD_INPUT
        assert "draws the tracks of walkers" in capsys.readouterr().err
        assert chiron_watch("--config-dir", "conf", "env=painted", "lidar=true", "out=a.png") == BAD_INPUT
        assert "has no lidar" in capsys.readouterr().err

    def test_an_env_that_does_not_render_is_refused(
        self, chiron_watch: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "conf" / "env").mkdir(parents=True)
        node = {"_target_": "tests.conftest.CountdownEnv"}
        OmegaConf.save(node, tmp_path / "conf" / "env" / "unseen.yaml")
        assert chiron_watch("--config-dir", "conf", "env=unseen", "out=video.mp4") == BAD_INPUT
        error = capsys.readouterr().err
        assert error.startswith("chiron-watch: env=unseen: ")
        assert "render_mode" in error


class PaintedCountdown(CountdownEnv):
    """A non-walker env whose frames show the progress of its episode."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__()
        self.render_mode = render_mode

    def render(self) -> Any:
        return np.full((32, 48, 3), 8 * self._left, np.uint8)


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["out=video.avi"], "video.avi must end in one of .gif, .mp4, .png"),
            (["out=nowhere/video.gif"], "out=nowhere/video.gif: nowhere is not a writable folder"),
            ([], "there is no display to open a window on: give out="),
            (["speed=2"], "Could not override 'speed': the keys there are"),
            (["seed=-1", "out=a.gif"], "seed=-1 must be at least 0"),
            (["seconds=0", "out=a.gif"], "seconds=0 must be above 0 and at most 120"),
            (["seconds=121", "out=a.gif"], "seconds=121 must be above 0 and at most 120"),
            (["actions=fancy", "out=a.gif"], "actions=fancy must be one of random, none"),
            (["task=simple", "out=a.gif"], "task=simple must be one of easy, middle, hard, random, a vector"),
            (["task=[1]", "out=a.gif"], "a task of this env has shape (2,)"),
            (["task=[9,9]", "out=a.gif"], "task stump_height=9 must lie in [0, 3]"),
            (["task={stump:1}", "out=a.gif"], "unknown task parameter 'stump'"),
            (["task={stump_height:tall}", "out=a.gif"], "task: could not convert string to float: 'tall'"),
            (["env=foo", "out=a.gif"], "env=foo must be one of "),
            (["env=simulated", "out=a.gif"], "env=simulated has no env to watch"),
            (["env.body=worm", "out=a.gif"], "env=stump_tracks: body='worm' must be one of"),
            (["run=.", "out=a.gif"], "run=. is not a run directory: it holds no config.yaml"),
            (["run=.", "env.body=default", "out=a.gif"], "env.body=default and run= exclude each other"),
            (["sheet=true"], "sheet=true needs out= with a file that ends in one of .png, .pdf, .svg"),
            (["sheet=true", "out=a.gif"], "sheet=true needs out="),
            (["-m", "seed=0,1", "out=a.gif"], "there is one thing to watch at a time: leave out -m"),
        ],
    )
    def test_is_refused_in_one_sentence_with_nothing_written(
        self,
        chiron_watch: Any,
        no_display: None,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
        sentence: str,
    ) -> None:
        assert chiron_watch(*arguments) == BAD_INPUT
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith("chiron-watch: ")
        assert output.err.count("\n") == 1
        assert sentence in output.err
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "task", ["{stump_height:0.5,obstacle_spacing:4}", "{hexagon:[1,2,3],spacing:4}", "{a:1,b:2,c:3}"]
)
def test_braces_that_the_shell_expanded_are_put_together_again(task: str) -> None:
    expanded = [f"task={piece}" for piece in task.strip("{}").split(",")]
    assert rejoin_braces(["run=x", *expanded, "seed=1"]) == ["run=x", "seed=1", f"task={task}"]


@pytest.mark.parametrize("arguments", [["run=x", "task={a:1,b:2}"], ["task=easy"], ["seed=1"], []])
def test_other_arguments_stay_as_they_are(arguments: list[str]) -> None:
    assert rejoin_braces(arguments) == arguments
