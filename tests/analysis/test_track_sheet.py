"""The sheet of sample tracks, checked on the figure before it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chiron.analysis.track_sheet import draw_track_sheet
from chiron.envs import StumpTracks, TaskParameter, TaskSpace
from chiron.envs.walkers.track import GROUND_LEVEL, LENGTH, Track
from chiron.envs.walkers.track_difficulty import difficulty_color
from chiron.envs.walkers.walker_env import WalkerEnv
from matplotlib.figure import Figure
from PIL import Image

from tests.listing import build_env, env_names

pytestmark = pytest.mark.medium


class Steps(WalkerEnv):
    """A single step of a given height, at a distance that is the sum of a group of parameters."""

    def __init__(self) -> None:
        super().__init__({"height": (0.0, 4.0), "places": (0.0, 1.0)}, "default")
        group = [TaskParameter("height", 0, 4, unit="m"), TaskParameter("places", 0, 1, size=5)]
        self.settings.space = TaskSpace(group)

    def make_track(self, rng: np.random.Generator, **parameters: Any) -> Track:
        x, y = 12 + float(np.sum(parameters["places"])), GROUND_LEVEL + parameters["height"]
        ground = [(0, GROUND_LEVEL), (x, GROUND_LEVEL), (x + 1e-3, y), (LENGTH, y)]
        return Track(np.array(ground, np.float32), ())


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that would have been saved."""
    saved: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: saved.append(figure))
    return saved


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def test_two_dimensional_tasks_make_a_grid_from_easy_to_hard(figures: list[Figure]) -> None:
    draw_track_sheet(StumpTracks(), Path("sheet.png"))
    shown = titles(figures[0])
    assert len(shown) == 15
    assert shown[0].split() == ["stump_height", "0", "×", "0.467", "m", "obstacle_spacing", "6", "m"]
    assert shown[2].split() == ["stump_height", "0", "×", "0.467", "m", "obstacle_spacing", "0", "m"]
    assert shown[14].split() == ["stump_height", "3", "×", "0.467", "m", "obstacle_spacing", "0", "m"]


def test_one_dimensional_tasks_make_a_column(figures: list[Figure]) -> None:
    draw_track_sheet(StumpTracks(stump_height=1.0), Path("sheet.png"))
    assert [title.split()[1] for title in titles(figures[0])] == ["6", "4.8", "3.6", "2.4", "1.2", "0"]


def test_larger_tasks_are_sampled_and_sorted_by_what_is_measured(figures: list[Figure]) -> None:
    draw_track_sheet(Steps(), Path("sheet.png"), seed=1)
    shown = titles(figures[0])
    heights = [float(title.split()[1]) for title in shown]
    assert len(shown) == 12
    assert heights == sorted(heights)
    assert len(shown[0].split()) == 2 + 1 + 5


def test_a_panel_shows_the_track_of_its_task_to_scale(figures: list[Figure]) -> None:
    draw_track_sheet(StumpTracks(), Path("sheet.png"), seed=4)
    panel = figures[0].axes[7]
    assert panel.get_aspect() == 1
    env = StumpTracks()
    env.reset(seed=4, options={"task": [1.5, 3.0]})
    obstacles = panel.collections[0]
    drawn = [np.asarray(path.vertices)[:4] for path in obstacles.get_paths()]
    np.testing.assert_allclose(np.array(drawn), np.array(env.track.obstacles))
    knee = env.body.spawn_height / 2
    heights = np.array([corners[:, 1].max() - GROUND_LEVEL for corners in env.track.obstacles])
    colors = np.asarray(obstacles.get_facecolor())[:, :3]
    np.testing.assert_allclose(colors, difficulty_color(heights / knee) / 255)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "hexagon_tracks" else [pytest.mark.slow])
        for name in env_names()
        if isinstance(build_env(name).unwrapped, WalkerEnv)
    ],
)
def test_every_walker_env_has_its_sheet(name: str, tmp_path: Path) -> None:
    draw_track_sheet(build_env(name).unwrapped, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 1500
        colors = sheet.convert("RGB").getcolors(maxcolors=2**24)
    assert colors is not None
    assert len(colors) > 50
