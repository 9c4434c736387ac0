from __future__ import annotations

import pickle
from functools import partial

import chiron
import pytest

from tests.listing import build_env, env_names


@pytest.mark.parametrize("name", ["cart_pole", "point_mass", "stump_tracks"])
def test_makes_what_the_command_line_makes(name: str) -> None:
    maker = pickle.loads(pickle.dumps(partial(chiron.make_env, name)))  # as workers get it
    mine, theirs = maker(), build_env(name)
    assert type(mine) is type(theirs)
    assert mine.task_space.columns == theirs.task_space.columns
    assert (mine.return_range, mine.mastered_return) == (theirs.return_range, theirs.mastered_return)
    assert mine.task_space.low.tolist() == theirs.task_space.low.tolist()


def test_takes_the_keys_of_its_yaml() -> None:
    assert chiron.make_env("cart_pole", mastered_return=100.0).get_wrapper_attr("mastered_return") == 100.0


def test_refuses_what_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"'hoper' must be one of the envs .*hopper") as refused:
        chiron.make_env("hoper")
    assert all(name in str(refused.value) for name in env_names())
    with pytest.raises(ValueError, match="unknown key 'wind'"):
        chiron.make_env("cart_pole", wind=3)
