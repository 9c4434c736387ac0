"""What worlds cost: steps and resets, beside Gymnasium's own walker."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

import gymnasium as gym
import numpy as np
from rich.console import Console
from rich.table import Table

import envs  # noqa: F401 (registers the worlds)
from envs.stump_tracks import StumpTracks
from scripts.bench_timing import Timing, time_in_turns

_PEER = "BipedalWalker-v3"
_WORLDS: dict[str, dict[str, Any]] = {
    "StumpTracks": {"body": "default"},
    "StumpTracks, short": {"body": "short"},
    "StumpTracks, quadruped": {"body": "quadruped"},
    "HexagonTracks": {},
    "StumpSequence": {},
    "OpenEndedTracks": {},
}
_EPISODE_STEPS = 100
_STEPS = 1000
"""Steps of one turn."""
_RESETS = 20


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Time all walker worlds and Gymnasium's in turns, print the tables, and return what was measured.

    Args:
        console: Where to print.
        options: `rounds`, how many turns each world gets.
    """
    worlds = {_PEER: gym.make("BipedalWalker-v3").unwrapped}
    for name, arguments in _WORLDS.items():
        worlds[name] = gym.make(f"chiron/{name.partition(',')[0]}-v0", **arguments).unwrapped
    console.print("Timing worlds…")
    steps = time_in_turns(
        {name: _player(world) for name, world in worlds.items()}, options.rounds, process_time
    )
    resets = time_in_turns(
        {name: _resetter(world) for name, world in worlds.items()}, options.rounds, process_time
    )
    crowded = StumpTracks(obstacle_spacing=(0, 1e-6))
    densest = time_in_turns({"densest": _resetter(crowded)}, options.rounds, process_time)["densest"]
    shares = _shares(StumpTracks())
    console.print(_world_table(steps, resets))
    spent = ", ".join(f"{part} {share:.0%}" for part, share in shares.items())
    console.print(f"A reset at obstacle_spacing 0 takes {1e3 * densest.median:.2f} ms.", highlight=False)
    console.print(f"Where a step of StumpTracks spends its time: {spent}.", highlight=False)
    peer = steps[_PEER]
    return {
        "episode_steps": _EPISODE_STEPS,
        "densest_reset_ms": 1e3 * densest.median,
        "step_shares": shares,
        "worlds": [
            {
                "world": name,
                "microseconds": 1e6 * steps[name].median,
                "reset_ms": 1e3 * resets[name].median,
                "times_gymnasium": steps[name].times_faster_than(peer).median,
            }
            for name in worlds
        ],
    }


def _player(world: gym.Env[Any, Any]) -> Callable[[], int]:
    """Plays random actions in random tasks, in episodes of at most 100 steps, resets included."""
    rng = np.random.default_rng(0)

    def play() -> int:
        actions = rng.uniform(-1, 1, (_STEPS, *(world.action_space.shape or ()))).astype(np.float32)
        left = 0
        for action in actions:
            if left == 0:
                _reset(world, rng)
                left = _EPISODE_STEPS
            _, _, terminated, _, _ = world.step(action)
            left = 0 if terminated else left - 1
        return _STEPS

    return play


def _resetter(world: gym.Env[Any, Any]) -> Callable[[], int]:
    rng = np.random.default_rng(0)

    def reset_often() -> int:
        for _ in range(_RESETS):
            _reset(world, rng)
        return _RESETS

    return reset_often


def _reset(world: gym.Env[Any, Any], rng: np.random.Generator) -> None:
    seed = int(rng.integers(2**31))
    space = getattr(world, "task_space", None)
    world.reset(seed=seed, options=None if space is None else {"task": space.sample(rng)})


def _shares(world: StumpTracks) -> dict[str, float]:
    """Share of the time of a step in Box2D's own, in the lidar and in what is left, which is Python."""
    spent = {"Box2D's physics": 0.0, "the lidar": 0.0}

    def watch(owner: Any, method: str, part: str) -> None:
        original = getattr(owner, method)

        def watched(*arguments: Any) -> Any:
            start = perf_counter()
            result = original(*arguments)
            spent[part] += perf_counter() - start
            return result

        setattr(owner, method, watched)

    rng = np.random.default_rng(0)
    total = 0.0
    for _ in range(_RESETS):
        _reset(world, rng)
        inner: Any = world._world
        watch(inner._world, "Step", "Box2D's physics")
        watch(inner._lidar, "scan", "the lidar")
        for action in rng.uniform(-1, 1, (_EPISODE_STEPS, 4)).astype(np.float32):
            start = perf_counter()
            _, _, terminated, _, _ = world.step(action)
            total += perf_counter() - start
            if terminated:
                break
    return {
        **{part: seconds / total for part, seconds in spent.items()},
        "Python": 1 - sum(spent.values()) / total,
    }


def _world_table(steps: dict[str, Timing], resets: dict[str, Timing]) -> Table:
    table = Table(title=f"CPU time, random actions, episodes of {_EPISODE_STEPS} steps with their resets")
    for heading in ("world", "a step", "steps/s", "× Gymnasium", "a reset"):
        table.add_column(heading, justify="left" if heading == "world" else "right", no_wrap=True)
    for name, timing in steps.items():
        table.add_row(
            name,
            f"{1e6 * timing.median:.0f} µs",
            f"{1 / timing.median:,.0f}",
            str(timing.times_faster_than(steps[_PEER])),
            f"{1e3 * resets[name].median:.2f} ms",
        )
    return table
