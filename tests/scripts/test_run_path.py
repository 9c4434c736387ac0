from __future__ import annotations

from pathlib import Path

import pytest
from chiron.scripts.run_path import override_level, run_path

NAMES = {"env": "stump_tracks", "teacher": "alp_gmm", "student": "ppo"}


def test_levels_say_what_ran() -> None:
    overrides = ["env=stump_tracks", "teacher=alp_gmm", "seed=3", "study=s", "results=r"]
    assert run_path(Path("r/s"), NAMES, 3, overrides) == Path("r/s/stump_tracks/alp_gmm/ppo/seed3")


@pytest.mark.parametrize(
    ("overrides", "level"),
    [
        (["env.body=quadruped"], "body-quadruped"),
        (["student.learning_rate=1e-3"], "learning_rate-1e-3"),
        (["total_steps=100", "env.body=short"], "body-short+total_steps-100"),
        (["env.body=short", "total_steps=100"], "body-short+total_steps-100"),
        (["+student.tau=0.1"], "tau-0.1"),
        (["experiment=main_job"], ""),
        (["experiment=main_job", "study=mine"], "experiment-main_job"),
    ],
)
def test_other_overrides_become_a_readable_level(overrides: list[str], level: str) -> None:
    assert override_level(overrides) == level


def test_different_overrides_never_share_a_level() -> None:
    levels = [
        override_level(overrides)
        for overrides in (
            ["env.stump_height=[0,3]"],
            ["env.stump_height=[0.3]"],
            ["env.stump_height=0-3"],
            ["env.stump_height='0 3'"],
            ["student.gamma=0.9"],
            ["teacher.gamma=0.9", "student.gamma=0.9"],
            ["teacher.gamma=0.9", "student.gamma=0.8"],
            [f"student.x{i}={i}" for i in range(50)],
            [f"student.x{i}={i}" for i in range(51)],
        )
    ]
    assert len(set(levels)) == len(levels)
    assert all(len(level) < 200 and "/" not in level and "=" not in level for level in levels)
