"""Errors of components name the argument at fault."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import gymnasium as gym
import pytest
from chiron.runs.blaming import blaming, make_blaming
from chiron.runs.made_env import made_env

from tests.countdown_env import CountdownEnv


class Careless(CountdownEnv):
    """An env that does not check its arguments."""

    def __init__(self, kind: str, size: Any = 3, parts: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.kinds = {"good": 1}[kind]
        self.is_large = size > 2
        self.root = math.sqrt((parts or {}).get("weight", 0))


def error_of(**arguments: Any) -> str:
    with pytest.raises(ValueError, match="env=careless") as raised:
        made_env("env=careless", partial(Careless, **arguments))
    return str(raised.value)


def test_what_is_to_blame_is_what_it_can_be_made_without() -> None:
    said = "'>' not supported between instances of 'str' and 'int'"
    assert error_of(kind="good", size="x") == f"env=careless: size: {said}"
    parts = {"colour": "red", "weight": -1}
    assert error_of(kind="good", parts=parts) == "env=careless: parts.weight: math domain error"


def test_a_required_argument_is_found_by_its_value() -> None:
    assert error_of(kind="bad") == "env=careless: kind: KeyError: 'bad'"


def test_what_a_component_says_itself_is_left_as_it_is() -> None:
    def refuse(size: int) -> None:
        raise ValueError(f"size={size} must be odd")

    with pytest.raises(ValueError, match=r"^teacher=t: size=2 must be odd$"):
        make_blaming("teacher=t", partial(refuse, size=2), lambda make: make())


def test_an_env_has_to_be_one() -> None:
    for kind in (int, lambda: 3):
        with pytest.raises(ValueError, match=r"is not a gymnasium\.Env"):
            made_env("env=x", kind)
    assert isinstance(made_env("env=x", partial(Careless, kind="good")), gym.Env)


def test_memory_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="student=x: does not fit into memory: 3 PiB"), blaming("student=x"):
        raise MemoryError("3 PiB")
