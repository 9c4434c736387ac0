"""The cost of the main job from end to end, compared with stock Stable-Baselines3, and its time by phase."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import closing
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any
from unittest.mock import patch

import torch
from chiron.conf.build import build
from chiron.conf.compose import composed
from chiron.conf.configured_run import run_from
from chiron.runs.run import Run
from chiron.runs.run_directory import RunDirectory
from chiron.students.fast.ppo_choices import PPOChoices
from chiron.students.sb3_student import SB3Student
from rich.console import Console
from rich.table import Table
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

from benchmarks.phases import EVALUATION, PHASES, Phases, draw_phases
from benchmarks.timed_envs import STOCK, stock_vec_env
from benchmarks.timing import Timing

_CHIRON = "Chiron"
_NAMES = {"env": "stump_tracks", "teacher": "alp_gmm", "student": "ppo"}
_ROUNDS = 3
"""Most turns; each takes a minute."""
_EVALUATION_SLOTS = 16
"""Evaluation envs of stock runs."""
_EVALUATIONS = 2
"""Evaluations of a timed run: before and after."""
_BOOKKEEPING = "bookkeeping"


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Time short main jobs, print the tables, draw the profile, and return the measurements.

    Args:
        console: Where to print.
        options: `rounds`, how many turns each gets, three at most; `steps`, decisions of each run; `out`,
            where the figure goes.
    """
    # Compile the engine, or load it from the cache, before anything is timed.
    chiron_seconds(_NAMES, (), 1, Phases(perf_counter))
    threads_before = torch.get_num_threads()
    seconds: dict[str, list[float]] = {name: [] for name in (*STOCK, _CHIRON)}
    for turn in range(min(options.rounds, _ROUNDS)):
        console.print(f"Turn {turn + 1}: {options.steps:,} decisions each…")
        for name, taken in seconds.items():
            parts = _seconds_of(name, options.steps, Phases(perf_counter), detailed=False)
            taken.append(sum(parts.values()))
    timings = {name: Timing(tuple(values)) for name, values in seconds.items()}
    better = min(STOCK, key=lambda kind: timings[kind].median)
    rows = [
        {
            "run": name if name == _CHIRON else f"stock PPO, {name}",
            "steps_per_second": 1 / timing.median,
            "fastest_steps_per_second": 1 / min(timing.seconds),
            **timing.times_faster_than(timings[better]).as_row("times_better_stock"),
        }
        for name, timing in timings.items()
    ]
    console.print(_run_table(rows, options.steps))

    console.print("Profiling…")
    shares = {
        label: _seconds_of(name, options.steps, Phases(thread_time), detailed=True)
        for name, label in {"DummyVecEnv": "stock PPO, DummyVecEnv", _CHIRON: _CHIRON}.items()
    }
    shares = {
        name: {phase: 1e6 * parts[phase] for phase in PHASES if phase in parts}
        for name, parts in shares.items()
    }
    torch.set_num_threads(threads_before)
    console.print(_profile_table(shares))
    figure = options.out / "main_job_profile.png"
    figure.parent.mkdir(parents=True, exist_ok=True)
    draw_phases(figure, shares)
    console.print(f"Drawn to {figure}", soft_wrap=True, highlight=False)
    return {"steps": options.steps, "runs": rows, "microseconds_per_decision": shares}


def _seconds_of(name: str, steps: int, phases: Phases, detailed: bool) -> dict[str, float]:
    """Seconds per decision of the main job, by phase, measured in a shorter run.

    A shorter run is evaluated at its start and end, which is too often: evaluation is weighted as in the
    main job.
    """
    if name == _CHIRON:
        return chiron_seconds(_NAMES, (), steps, phases, detailed=detailed)
    return _per_step(phases, _run_stock(name, steps, phases, detailed), composed())


def chiron_seconds(
    names: dict[str, str], overrides: tuple[str, ...], steps: int, phases: Phases, detailed: bool = False
) -> dict[str, float]:
    """Seconds per step of a run, by phase, measured in a shorter run.

    Args:
        names: Its env, teacher and student.
        overrides: Further overrides.
        steps: Approximate length of the shorter run.
        phases: Measures the time.
        detailed: Whether learning is divided further; only for PPO.
    """
    chosen = (*(f"{group}={name}" for group, name in names.items()), *overrides)
    made = _run_chiron(names, chosen, steps, phases, detailed)
    return _per_step(phases, made, composed(*chosen))


def _per_step(phases: Phases, made: int, config: dict[str, Any]) -> dict[str, float]:
    total = config["total_steps"]
    evaluations = total // config["evaluation"]["every_steps"] + 1
    return {
        phase: seconds * evaluations / _EVALUATIONS / total if phase == EVALUATION else seconds / made
        for phase, seconds in phases.seconds.items()
    }


def _run_chiron(
    names: dict[str, str], overrides: tuple[str, ...], steps: int, phases: Phases, detailed: bool
) -> int:
    """Run a job for about `steps` steps; returns the number made."""
    budget = (f"total_steps={steps}", f"evaluation.every_steps={steps}", "checkpoint.every_minutes=null")
    with tempfile.TemporaryDirectory() as folder:
        run = run_from(composed(*overrides, *budget), names, RunDirectory(Path(folder) / "run"))
        student: Any = run.student
        _watch_model(student.model, phases, detailed)
        if detailed:
            vec_env: Any = student.model.get_vec_normalize_env().venv
            phases.watch(vec_env, "step_wait", "curriculum")
            for method in ("sample", "observe"):
                phases.watch(run.curriculum.teacher, method, "teacher")
            for method in ("step", "reset"):
                phases.watch(vec_env.envs, method, "physics")
        choices = PPOChoices.__call__
        with (
            # Watched objects cannot be pickled.
            patch.object(SB3Student, "save", lambda student, folder: None),
            patch.object(Run, "_evaluate", phases.watched(EVALUATION, Run._evaluate)),
            patch.object(
                PPOChoices, "__call__", phases.watched("choosing actions", choices) if detailed else choices
            ),
        ):
            run.execute()
        return run.steps


def _run_stock(kind: str, steps: int, phases: Phases, detailed: bool) -> int:
    """Run the same student with stock components; returns the number of decisions made."""
    config = composed()
    torch.set_num_threads(config["threads"])
    settings = {**config["student"], "_target_": "stable_baselines3.PPO"}
    policy = settings["policy_kwargs"]
    optimizer = {key: value for key, value in policy["optimizer_kwargs"].items() if key != "fused"}
    settings["policy_kwargs"] = {**policy, "optimizer_kwargs": optimizer}
    normalization, repeat, _ = (settings.pop(key) for key in ("vec_normalize", "action_repeat", "load"))
    with (
        closing(stock_vec_env(kind, config["n_envs"], repeat)) as envs,
        closing(stock_vec_env(kind, _EVALUATION_SLOTS, repeat)) as test_envs,
    ):
        vec_env = VecNormalize(envs, **normalization)
        test_vec_env = VecNormalize(test_envs, training=False, norm_reward=False)
        test_vec_env.obs_rms = vec_env.obs_rms
        model: PPO = build(settings)(env=vec_env, seed=config["seed"], device="cpu")
        _watch_model(model, phases, detailed)
        if detailed:
            dummy: Any = envs
            phases.watch(dummy, "step_wait", _BOOKKEEPING)
            for env in dummy.envs:
                phases.watch(env, "step", "physics")
                phases.watch(env, "reset", "physics")
        evaluate = phases.watched(EVALUATION, evaluate_policy)
        n_tasks = config["evaluation"]["n_tasks"]
        evaluate(model, test_vec_env, n_tasks, warn=False)
        model.learn(steps)
        evaluate(model, test_vec_env, n_tasks, warn=False)
        return model.num_timesteps


def _watch_model(model: BaseAlgorithm, phases: Phases, detailed: bool) -> None:
    phases.watch(model, "learn", _BOOKKEEPING)
    if detailed:
        phases.watch(model.policy, "forward", "choosing actions")
        phases.watch(model.policy, "predict_values", "choosing actions")
        phases.watch(model, "train", "update")
        phases.watch(model.get_vec_normalize_env(), "step_wait", "normalisation")


def _run_table(rows: list[dict[str, Any]], steps: int) -> Table:
    table = Table(title=f"The main job's first {steps:,} decisions, its evaluations included")
    for heading in ("run", "decisions/s", "fastest", "× better stock"):
        table.add_column(heading, justify="left" if heading == "run" else "right", no_wrap=True)
    for row in rows:
        low, high = row["times_better_stock_quartiles"]
        table.add_row(
            row["run"],
            f"{row['steps_per_second']:,.0f}",
            f"{row['fastest_steps_per_second']:,.0f}",
            f"{row['times_better_stock']:.2f} ({low:.2f}–{high:.2f})",
        )
    return table


def _profile_table(profiles: dict[str, dict[str, float]]) -> Table:
    table = Table(title="CPU time of a decision, and of a second how much")
    table.add_column("phase")
    for name in profiles:
        table.add_column(name, justify="right", no_wrap=True)
    totals = {name: sum(shares.values()) for name, shares in profiles.items()}
    for phase in PHASES:
        cells = (
            f"{shares[phase]:.1f} µs, {shares[phase] / totals[name]:.0%}" if phase in shares else "–"
            for name, shares in profiles.items()
        )
        table.add_row(phase, *cells)
    table.add_row("all", *(f"{total:.1f} µs" for total in totals.values()))
    return table
