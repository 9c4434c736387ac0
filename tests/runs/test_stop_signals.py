"""Signals that ask a run to stop, sent from within each of its phases."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numba
import pytest
from chiron import Run, RunCallback, make_run
from chiron.runs import stop_signals
from chiron.teachers import ALPGMM
from numba.core.event import Listener, install_listener
from stable_baselines3 import PPO

from tests.countdown_env import CountdownEnv

pytestmark = pytest.mark.usefixtures("blank_figures")

SMALL: dict[str, Any] = {
    "total_steps": 64,
    "n_envs": 2,
    "n_workers": 0,
    "evaluation": {"every_steps": 32, "n_tasks": 3},
    "checkpoint": {"every_minutes": None, "every_steps": 16},
}


def ask(times: int = 1, number: signal.Signals = signal.SIGINT) -> None:
    for _ in range(times):
        os.kill(os.getpid(), number)


class Asking(RunCallback):
    """Asks this process to stop at the n-th occurrence of an event."""

    def __init__(self, event: str, nth: int, how: Callable[[], None]) -> None:
        def happen(*arguments: Any) -> None:
            self.left -= 1
            if self.left == 0:
                how()

        self.left = nth
        setattr(self, event, happen)


def new_run(folder: Path, *callbacks: RunCallback, **settings: Any) -> Run:
    student = partial(PPO, "MlpPolicy", n_steps=8, batch_size=16, n_epochs=1)
    run = make_run(CountdownEnv, ALPGMM, student, folder, callbacks, **{**SMALL, **settings})
    del run.callbacks["figure"]
    return run


class AskingListener(Listener):  # type: ignore[misc]  # numba is untyped
    """Asks when a compilation begins; exceptions of signal handlers are swallowed, as in LLVM's callbacks."""

    def __init__(self, times: int) -> None:
        self._times = times

    def on_start(self, event: Any) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            ask(self._times)

    def on_end(self, event: Any) -> None:
        pass


def compile_and_ask(times: int) -> None:
    with install_listener("numba:compile", AskingListener(times)):
        numba.njit(lambda number: number + 1)(1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that is never asked to stop."""
    run = new_run(tmp_path_factory.mktemp("whole"))
    run.execute()
    return run


PHASES: dict[str, tuple[str, int, Callable[[], None], int]] = {
    "before training": ("on_start", 1, ask, 0),
    "first evaluation": ("on_evaluation", 1, ask, 0),
    "step": ("on_step", 9, ask, 32),
    "evaluation": ("on_evaluation", 2, ask, 32),
    "checkpoint": ("on_checkpoint", 3, ask, 32),
    "compilation": ("on_step", 3, partial(compile_and_ask, 1), 16),
    "SIGTERM": ("on_step", 3, partial(ask, 1, signal.SIGTERM), 16),
    "SIGTERM to the group, too": ("on_step", 3, partial(ask, 2, signal.SIGTERM), 16),
}


@pytest.mark.medium
@pytest.mark.parametrize("phase", PHASES)
def test_after_the_first_a_run_saves_its_state_and_ends_and_loses_nothing(
    phase: str, whole: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event, nth, how, step = PHASES[phase]
    run = new_run(tmp_path / "run", Asking(event, nth, how))
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(KeyboardInterrupt, match=f"stopped at {step} steps"):
        run.execute()
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers
    assert capsys.readouterr().err.count("Stopping as soon as nothing is lost") == 1
    assert (run.directory.read_summary() or {})["status"] == "interrupted"
    assert (run.directory.checkpointed_step() or 0) == step
    again = new_run(tmp_path / "run")
    assert again.execute()["status"] == "finished"
    assert again.is_resumed == (phase != "before training")
    assert again.directory.read_episodes().equals(whole.directory.read_episodes())
    assert again.directory.read_evaluations().equals(whole.directory.read_evaluations())


def test_without_checkpoints_a_run_saves_its_state_all_the_same(tmp_path: Path) -> None:
    none = {"every_minutes": None, "every_steps": None}
    with pytest.raises(KeyboardInterrupt, match="stopped at 16 steps, where its state has been saved"):
        new_run(tmp_path / "run", Asking("on_step", 3, ask), checkpoint=none).execute()
    assert new_run(tmp_path / "run", checkpoint=none).directory.checkpointed_step() == 16


@pytest.mark.parametrize("how", [partial(ask, 2), partial(compile_and_ask, 2)], ids=["twice", "compilation"])
def test_after_a_second_one_a_run_ends_at_once(how: Callable[[], None], tmp_path: Path) -> None:
    run = new_run(tmp_path / "run", Asking("on_step", 11, how))
    with pytest.raises(KeyboardInterrupt):
        run.execute()
    assert run.steps in (22, 24)
    assert run.directory.checkpointed_step() == 16
    assert (run.directory.read_summary() or {})["status"] == "interrupted"


@pytest.mark.parametrize("times", [1, 2])
def test_one_that_comes_while_figures_are_drawn_leaves_a_finished_run(times: int, tmp_path: Path) -> None:
    run = new_run(tmp_path / "run", Asking("on_end", 1, partial(ask, times)))
    if times == 1:
        run.execute()
    else:
        with pytest.raises(KeyboardInterrupt, match="training has finished"):
            run.execute()
    assert (run.directory.read_summary() or {})["status"] == "finished"


def test_one_that_comes_before_a_run_is_executed_keeps_it_from_beginning(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    with stop_signals.heard(raise_from=9):
        ask()
        with pytest.raises(KeyboardInterrupt, match="stopped before it began"):
            run.execute()
    assert list(tmp_path.iterdir()) == []


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_signals.heard(raise_from=1):
            ask()
            assert stop_signals.times_asked() == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_lost_terminal_ends_nothing() -> None:
    with stop_signals.heard(raise_from=1):
        ask(1, signal.SIGHUP)
        assert stop_signals.times_asked() == 0
