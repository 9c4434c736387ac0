"""What the main job costs from end to end, beside stock Stable-Baselines3, and where its time goes."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

from conf.build import build
from evaluation.run_directory import RunDirectory
from scripts.bench_phases import PHASES, Phases, draw_phases
from scripts.bench_timing import Timing
from scripts.bench_worlds import STOCK, stock_vec_env
from scripts.reproduction import composed
from scripts.run import Watcher
from scripts.training_run import TrainingRun

_CHIRON = "Chiron"
_NAMES = {"env": "stump_tracks", "teacher": "alp_gmm", "student": "ppo"}
_ROUNDS = 3
"""Most turns: one takes a minute."""
_EVALUATION_SLOTS = 16
"""Of stock runs."""
_BOOKKEEPING = "bookkeeping"


class _Nobody(Watcher):
    """Hears nothing."""


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Time short main jobs, print the tables, draw the profile, and return what was measured.

    Args:
        console: Where to print.
        options: `rounds`, how many turns each gets, three at most; `steps`, decisions of each run; `out`,
            where the figure goes.
    """
    # The engine is compiled, or read from its cache, before anything is timed.
    _run_chiron(steps=1)
    threads_before = torch.get_num_threads()
    seconds: dict[str, list[float]] = {name: [] for name in (*STOCK, _CHIRON)}
    for turn in range(min(options.rounds, _ROUNDS)):
        console.print(f"Turn {turn + 1}: {options.steps:,} decisions each…")
        for kind in STOCK:
            seconds[kind].append(_run_stock(kind, options.steps))
        seconds[_CHIRON].append(_run_chiron(options.steps))
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
    profiles = {"stock PPO, DummyVecEnv": Phases(), _CHIRON: Phases()}
    before, after = profiles.values()
    _run_stock("DummyVecEnv", options.steps, before)
    _run_chiron(options.steps, after)
    torch.set_num_threads(threads_before)
    shares = {name: phases.microseconds_per(options.steps) for name, phases in profiles.items()}
    console.print(_profile_table(shares))
    figure = options.out / "main_job_profile.png"
    figure.parent.mkdir(parents=True, exist_ok=True)
    draw_phases(figure, shares)
    console.print(f"Drawn to {figure}", soft_wrap=True, highlight=False)
    return {"steps": options.steps, "runs": rows, "microseconds_per_decision": shares}


def _run_chiron(steps: int, phases: Phases | None = None) -> float:
    """Run the main job for so many decisions, evaluations included; returns seconds per decision."""
    config = composed(
        (f"total_steps={steps}", f"evaluation.every_steps={steps}", "checkpoint.every_minutes=null")
    )
    assert config is not None
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun(config, _NAMES)
        if phases is not None:
            _watch_chiron(run, phases)
            # What is watched cannot be saved.
            vars(run)["_save"] = lambda directory: None
        summary = run.execute(RunDirectory(Path(folder) / "run"), _Nobody())
    return float(summary["wall_seconds"] / summary["steps"])


def _run_stock(kind: str, steps: int, phases: Phases | None = None) -> float:
    """The same student on stock pieces; returns seconds per decision."""
    config = composed(())
    assert config is not None
    torch.set_num_threads(config["threads"])
    settings = {**config["student"], "_target_": "stable_baselines3.PPO"}
    policy = settings["policy_kwargs"]
    optimizer = {key: value for key, value in policy["optimizer_kwargs"].items() if key != "fused"}
    settings["policy_kwargs"] = {**policy, "optimizer_kwargs": optimizer}
    normalization, repeat = settings.pop("vec_normalize"), settings.pop("action_repeat")
    with (
        closing(stock_vec_env(kind, config["n_envs"], repeat)) as worlds,
        closing(stock_vec_env(kind, _EVALUATION_SLOTS, repeat)) as test_worlds,
    ):
        vec_env = VecNormalize(worlds, **normalization)
        test_vec_env = VecNormalize(test_worlds, training=False, norm_reward=False)
        test_vec_env.obs_rms = vec_env.obs_rms
        model: PPO = build(settings)(env=vec_env, seed=config["seed"], device="cpu")

        def evaluate() -> None:
            evaluate_policy(model, test_vec_env, config["evaluation"]["n_tasks"], warn=False)

        if phases is not None:
            _watch_stock(model, phases)
            evaluate = phases.watched("evaluation", evaluate)
        start = perf_counter()
        evaluate()
        model.learn(steps)
        evaluate()
        return (perf_counter() - start) / model.num_timesteps


def _watch_model(model: PPO, phases: Phases) -> None:
    vec_env: Any = model.get_vec_normalize_env()
    phases.watch(model, "learn", _BOOKKEEPING)
    phases.watch(model.policy, "forward", "choosing actions")
    phases.watch(model.policy, "predict_values", "choosing actions")
    phases.watch(model, "train", "update")
    phases.watch(vec_env, "step_wait", "normalisation")


def _watch_stock(model: PPO, phases: Phases) -> None:
    _watch_model(model, phases)
    dummy: Any = model.get_vec_normalize_env().venv  # type: ignore[union-attr]
    phases.watch(dummy, "step_wait", _BOOKKEEPING)
    for world in dummy.envs:
        phases.watch(world, "step", "physics")
        phases.watch(world, "reset", "physics")


def _watch_chiron(run: TrainingRun, phases: Phases) -> None:
    model = run.model
    assert isinstance(model, PPO)
    _watch_model(model, phases)
    vec_env: Any = model.get_vec_normalize_env().venv  # type: ignore[union-attr]
    phases.watch(vec_env, "step_wait", "curriculum")
    for method in ("sample", "observe"):
        phases.watch(run.curriculum.teacher, method, "teacher")
    for method in ("step", "reset"):
        phases.watch(vec_env.worlds, method, "physics")
        phases.watch(run.test_worlds, method, "evaluation")
    phases.watch(model, "predict", "evaluation")


def _run_table(rows: list[dict[str, Any]], steps: int) -> Table:
    table = Table(title=f"The main job's first {steps:,} decisions, evaluation before and after included")
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
            f"{shares.get(phase, 0):.1f} µs, {shares.get(phase, 0) / totals[name]:.0%}"
            for name, shares in profiles.items()
        )
        table.add_row(phase, *cells)
    table.add_row("all", *(f"{total:.1f} µs" for total in totals.values()))
    return table
