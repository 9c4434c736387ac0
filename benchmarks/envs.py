"""The cost of steps and resets of envs, compared with Gymnasium's own walker."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

import gymnasium as gym
import numpy as np
from chiron.envs.walkers.engine.vector_env import WalkerVectorEnv
from chiron.envs.walkers.stump_tracks import StumpTracks
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.timing import Timing, time_in_turns

_PEER = "BipedalWalker-v3"
_ENVS: dict[str, dict[str, Any]] = {
    "StumpTracks": {"body": "default"},
    "StumpTracks, short": {"body": "short"},
    "StumpTracks, quadruped": {"body": "quadruped"},
    "HexagonTracks": {},
    "StumpSequence": {},
    "OpenEndedTracks": {},
}
_BATCHES: dict[str, dict[str, Any]] = {
    "16 StumpTracks at once": {"num_envs": 16},
    "256 StumpTracks at once": {"num_envs": 256},
    "256 quadrupeds at once": {"num_envs": 256, "body": "quadruped"},
}
_EPISODE_STEPS = 100
_STEPS = 1000
"""Steps of one turn."""
_RESETS = 20


def _walkers(num_envs: int, n_threads: int = 1, **arguments: Any) -> WalkerVectorEnv:
    return StumpTracks(**arguments).batch(num_envs, n_threads)


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Time all walker envs, single and batched, and Gymnasium's; print the tables; return the measurements.

    Args:
        console: Where to print.
        options: `rounds`, how many turns each env gets.
    """
    envs = {_PEER: gym.make("BipedalWalker-v3").unwrapped}
    for name, arguments in _ENVS.items():
        envs[name] = gym.make(f"chiron/{name.partition(',')[0]}-v0", **arguments).unwrapped
    batches = {name: _walkers(**arguments) for name, arguments in _BATCHES.items()}
    console.print("Timing envs…")
    players = {name: _player(env) for name, env in envs.items()}
    players |= {name: _batch_player(batch) for name, batch in batches.items()}
    steps = time_in_turns(players, options.rounds, process_time)
    resetters = {name: _resetter(env) for name, env in envs.items()}
    resetters |= {name: _batch_resetter(batch) for name, batch in batches.items()}
    resets = time_in_turns(resetters, options.rounds, process_time)
    threads = {f"{n} threads": _batch_player(_walkers(256, n_threads=n)) for n in (1, 2)}
    wall = time_in_turns(threads, options.rounds)
    crowded = StumpTracks(obstacle_spacing=(0, 1e-6))
    densest = time_in_turns({"densest": _resetter(crowded)}, options.rounds, process_time)["densest"]
    shares = _shares(StumpTracks())
    console.print(_env_table(steps, resets))
    spent = ", ".join(f"{part} {share:.0%}" for part, share in shares.items())
    console.print(f"A reset at obstacle_spacing 0 takes {1e3 * densest.median:.2f} ms.", highlight=False)
    console.print(f"Where a step of StumpTracks spends its time: {spent}.", highlight=False)
    gain = wall["2 threads"].times_faster_than(wall["1 threads"])
    console.print(f"In two threads 256 at once run {gain} times as fast, by the wall clock.", highlight=False)
    peer = steps[_PEER]
    return {
        "episode_steps": _EPISODE_STEPS,
        "densest_reset_ms": 1e3 * densest.median,
        "step_shares": shares,
        "two_threads": gain.median,
        "envs": [
            {
                "env": name,
                "microseconds": 1e6 * steps[name].median,
                "reset_ms": 1e3 * resets[name].median,
                "times_gymnasium": steps[name].times_faster_than(peer).median,
            }
            for name in steps
        ],
    }


def _player(env: gym.Env[Any, Any]) -> Callable[[], int]:
    """Plays random actions in random tasks, in episodes of at most 100 steps, resets included."""
    rng = np.random.default_rng(0)

    def play() -> int:
        actions = rng.uniform(-1, 1, (_STEPS, *(env.action_space.shape or ()))).astype(np.float32)
        left = 0
        for action in actions:
            if left == 0:
                _reset(env, rng)
                left = _EPISODE_STEPS
            _, _, terminated, _, _ = env.step(action)
            left = 0 if terminated else left - 1
        return _STEPS

    return play


def _batch_player(batch: WalkerVectorEnv) -> Callable[[], int]:
    """Like `_player`, in all slots of a batch at once."""
    rng = np.random.default_rng(0)
    slots, steps = batch.num_envs, max(1, _STEPS // batch.num_envs)
    left = rng.integers(1, _EPISODE_STEPS + 1, slots)
    _reset_batch(batch, rng, np.ones(slots, np.bool_))

    def play() -> int:
        actions = rng.uniform(-1, 1, (steps, *(batch.action_space.shape or ()))).astype(np.float32)
        for action in actions:
            _, _, terminated, _, _ = batch.step(action)
            left[:] -= 1
            over = terminated | (left == 0)
            if over.any():
                _reset_batch(batch, rng, over)
                left[over] = _EPISODE_STEPS
        return steps * slots

    return play


def _batch_resetter(batch: WalkerVectorEnv) -> Callable[[], int]:
    rng = np.random.default_rng(0)
    everyone = np.ones(batch.num_envs, np.bool_)

    def reset_all() -> int:
        _reset_batch(batch, rng, everyone)
        return batch.num_envs

    return reset_all


def _reset_batch(batch: WalkerVectorEnv, rng: np.random.Generator, mask: NDArray[np.bool_]) -> None:
    seeds = rng.integers(2**31, size=batch.num_envs).tolist()
    tasks = batch.task_space.sample(rng, batch.num_envs)
    batch.reset(seed=seeds, options={"reset_mask": mask, "task": tasks})


def _resetter(env: gym.Env[Any, Any]) -> Callable[[], int]:
    rng = np.random.default_rng(0)

    def reset_often() -> int:
        for _ in range(_RESETS):
            _reset(env, rng)
        return _RESETS

    return reset_often


def _reset(env: gym.Env[Any, Any], rng: np.random.Generator) -> None:
    seed = int(rng.integers(2**31))
    space = getattr(env, "task_space", None)
    env.reset(seed=seed, options=None if space is None else {"task": space.sample(rng)})


def _shares(env: StumpTracks) -> dict[str, float]:
    """Share of a step's time spent in Box2D's physics, in the lidar, and in the rest, which is Python."""
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
        _reset(env, rng)
        inner: Any = env._simulation
        watch(inner._world, "Step", "Box2D's physics")
        watch(inner._lidar, "scan", "the lidar")
        for action in rng.uniform(-1, 1, (_EPISODE_STEPS, 4)).astype(np.float32):
            start = perf_counter()
            _, _, terminated, _, _ = env.step(action)
            total += perf_counter() - start
            if terminated:
                break
    return {
        **{part: seconds / total for part, seconds in spent.items()},
        "Python": 1 - sum(spent.values()) / total,
    }


def _env_table(steps: dict[str, Timing], resets: dict[str, Timing]) -> Table:
    table = Table(title=f"CPU time, random actions, episodes of {_EPISODE_STEPS} steps with their resets")
    for heading in ("env", "a step", "steps/s", "× Gymnasium", "a reset"):
        table.add_column(heading, justify="left" if heading == "env" else "right", no_wrap=True)
    for name, timing in steps.items():
        table.add_row(
            name,
            f"{1e6 * timing.median:.0f} µs",
            f"{1 / timing.median:,.0f}",
            str(timing.times_faster_than(steps[_PEER])),
            f"{1e6 * resets[name].median:,.0f} µs",
        )
    return table
