"""Ranges of students' arguments."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from chiron.runs.student_ranges import require_ranges
from stable_baselines3.common.utils import LinearSchedule


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"gamma": 2}, "gamma=2 must be at least 0 and at most 1"),
        ({"gamma": math.nan}, "gamma=nan must be at least 0 and at most 1"),
        ({"batch_size": -1}, "batch_size=-1 must be at least 1"),
        ({"learning_rate": -1e-3}, "learning_rate=-0.001 must be at least 0"),
        ({"learning_rate": math.inf}, "learning_rate=inf must be at least 0"),
        ({"learning_rate": LinearSchedule(1e-3, -1e-3, 1.0)}, "must be at least 0 in all it takes on"),
        ({"clip_range_vf": 0.0}, "clip_range_vf=0 must be above 0"),
        ({"train_freq": (0, "step")}, "train_freq=(0, 'step') must be at least 1"),
        (
            {"policy_kwargs": {"net_arch": [64, -1]}},
            "policy_kwargs.net_arch=[64, -1] must be a list of layer sizes",
        ),
        ({"policy_kwargs": {"net_arch": {"pi": 3}}}, "policy_kwargs.net_arch={'pi': 3} must be a list"),
        ({"policy_kwargs": {"n_critics": 0}}, "policy_kwargs.n_critics=0 must be at least 1"),
    ],
)
def test_what_no_algorithm_can_use_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        require_ranges(given)


def test_what_an_adapter_does_is_checked_too() -> None:
    with pytest.raises(ValueError, match=r"vec_normalize\.clip_obs=0 must be above 0"):
        require_ranges({"vec_normalize": {"clip_obs": 0}})
    with pytest.raises(ValueError, match="action_repeat=0 must be at least 1"):
        require_ranges({"action_repeat": 0})


def test_what_can_be_used_is_left_alone() -> None:
    kwargs = {"net_arch": {"pi": [8], "vf": []}, "n_critics": 2}
    fine = {
        "gamma": 1,
        "learning_rate": 0.0,
        "max_grad_norm": math.inf,
        "target_kl": None,
        "ent_coef": "auto_0.1",
    }
    others = {"policy_kwargs": kwargs, "vec_normalize": None, "forget_every": None}
    require_ranges(
        {**fine, **others, "clip_range": lambda left: 0.2 * left, "train_freq": (1, "episode")},
    )
