from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chiron.envs.trainable_spaces import require_trainable
from gymnasium import spaces

NUMBERS = spaces.Box(-1, 1, (2,))
MOVES = spaces.Discrete(3)


@pytest.mark.parametrize(
    "observations",
    [
        NUMBERS,
        spaces.Box(0, 255, (8, 8, 3), np.uint8),
        MOVES,
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(4),
        spaces.Dict({"speed": NUMBERS, "gear": MOVES}),
    ],
)
def test_arrays_and_flat_dicts_of_them_are_taken(observations: spaces.Space[Any]) -> None:
    require_trainable(observations, MOVES)


@pytest.mark.parametrize(
    ("observations", "actions", "objection"),
    [
        (spaces.Text(5), MOVES, r"observation space Text\(.*a wrapper can change that"),
        (spaces.Tuple([NUMBERS, MOVES]), MOVES, r"observation space Tuple\("),
        (spaces.Graph(NUMBERS, None), MOVES, r"observation space Graph\("),
        (spaces.Sequence(NUMBERS), MOVES, r"observation space Sequence\("),
        (spaces.Dict({"car": spaces.Dict({"x": NUMBERS})}), MOVES, r"observation space, 'car': Dict\("),
        (spaces.Dict({"x": NUMBERS, "sign": spaces.Text(5)}), MOVES, r"observation space, 'sign': Text\("),
        (
            spaces.Discrete(3, start=1),
            MOVES,
            r"observation space Discrete\(3, start=1\): students count from 0",
        ),
        (
            NUMBERS,
            spaces.Discrete(3, start=-1),
            r"action space Discrete\(3, start=-1\): students count from 0",
        ),
        (NUMBERS, spaces.MultiDiscrete([2, 2], start=[0, 1]), "action space .* students count from 0"),
        (NUMBERS, spaces.MultiDiscrete(np.ones((2, 2), np.int64)), "MultiDiscrete of one dimension"),
        (NUMBERS, spaces.Dict({"x": NUMBERS}), r"action space Dict\("),
    ],
)
def test_others_are_refused_by_name(
    observations: spaces.Space[Any], actions: spaces.Space[Any], objection: str
) -> None:
    with pytest.raises(ValueError, match=objection):
        require_trainable(observations, actions)
