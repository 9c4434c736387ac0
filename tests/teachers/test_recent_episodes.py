from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from chiron.envs.env_info import EnvInfo
from chiron.teachers import Curriculum, Proposals, Random
from chiron.teachers.recent_episodes import RecentEpisodes

from tests.teachers.spaces import cube


class EveryThirdAtRandom(Random):
    """Proposes (k, 2k, …) / 100 in its k-th proposal, and labels every third one random."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.proposed = 0

    def _propose(self, n: int) -> Proposals:
        self.proposed += 1
        task = np.arange(1, self.space.dim + 1) * self.proposed / 100
        source = "random" if self.proposed % 3 == 0 else "gaussian_0"
        return Proposals(task.astype(np.float32)[None], source)


def play(curriculum: Curriculum, episodes: int, success: bool | None = None) -> None:
    for _ in range(episodes):
        curriculum.next_task(0)
        index = curriculum.episodes + 1
        curriculum.finish(0, episode_return=float(index), length=2 * index, step=index, success=success)


@pytest.fixture
def curriculum() -> Curriculum:
    space = cube(2)
    return Curriculum(EveryThirdAtRandom(space), EnvInfo(space))


def test_means_go_over_the_latest_episodes(curriculum: Curriculum) -> None:
    recent = RecentEpisodes(curriculum, most=20, averaged=6)
    assert recent.means() == {}
    play(curriculum, 50)
    latest = np.arange(45, 51)
    assert recent.means() == pytest.approx(
        {
            "episodes/return_mean": latest.mean(),
            "episodes/length_mean": 2 * latest.mean(),
            "curriculum/random_share": 2 / 6,
            "curriculum/mean_x0": latest.mean() / 100,
            "curriculum/mean_x1": latest.mean() / 50,
        }
    )


def test_successes_are_counted_where_the_env_reports_them(curriculum: Curriculum) -> None:
    recent = RecentEpisodes(curriculum, averaged=4)
    play(curriculum, 3, success=True)
    play(curriculum, 1, success=False)
    assert recent.means()["episodes/success_percent"] == 75


def test_tasks_come_oldest_first_and_the_oldest_are_forgotten(curriculum: Curriculum) -> None:
    recent = RecentEpisodes(curriculum, most=4)
    play(curriculum, 3)
    assert recent.tasks()[0][:, 0].tolist() == pytest.approx([0.01, 0.02, 0.03])
    play(curriculum, 3)
    tasks, is_random = recent.tasks()
    assert tasks[:, 0].tolist() == pytest.approx([0.03, 0.04, 0.05, 0.06])
    assert is_random.tolist() == [True, False, False, True]
    assert recent.tasks(since=5)[0][:, 0].tolist() == pytest.approx([0.06])
    assert recent.tasks(since=recent.total)[0].shape == (0, 2)


@pytest.mark.parametrize("before", [2, 5])
def test_goes_on_from_a_stored_state(curriculum: Curriculum, before: int) -> None:
    recent, resumed = RecentEpisodes(curriculum, most=4, averaged=3), None
    play(curriculum, before)
    stored = recent.state_dict()
    stored = {"rows": stored["rows"], **json.loads(json.dumps({"total": stored["total"]}))}
    resumed = RecentEpisodes(curriculum, most=4, averaged=3)
    resumed.load_state_dict(stored)
    play(curriculum, 2)
    assert resumed.means() == recent.means()
    np.testing.assert_array_equal(resumed.tasks()[0], recent.tasks()[0])
